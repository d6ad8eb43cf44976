from weir_gateway import main

main()
