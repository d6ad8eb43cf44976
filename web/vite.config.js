// Everything in one file, with a policy that allows this one script and this one style.
import { createHash } from "node:crypto";
import { defineConfig } from "vite";

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const oneFile = () => ({
  name: "one-file",
  enforce: "post",
  generateBundle(_, bundle) {
    const files = Object.values(bundle);
    const scripts = files.filter((file) => file.type === "chunk");
    const styles = files.filter((file) => file.fileName.endsWith(".css"));
    const page = files.find((file) => file.fileName.endsWith(".html"));
    if (scripts.length !== 1 || styles.length !== 1 || files.length !== 3) {
      throw new Error(`one script, one style and one page, not ${files.map((f) => f.fileName)}`);
    }
    const script = scripts[0].code.replaceAll("</script", "<\\/script").trim();
    const style = String(styles[0].source).trim();
    const policy = [
      "default-src 'none'",
      `script-src ${hash(script)}`,
      `style-src ${hash(style)}`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
    ].join("; ");
    const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
    page.source = String(page.source)
      .replace(/\s*<script[^>]*src=[^>]*><\/script>/, "")
      .replace(/\s*<link[^>]*rel="stylesheet"[^>]*>/, "")
      .replace("<meta charset=\"utf-8\">", (charset) => `${charset}\n    ${meta}`)
      .replace("</head>", () => `<style>${style}</style>\n    <script type="module">${script}</script>\n  </head>`);
    for (const file of [...scripts, ...styles]) {
      delete bundle[file.fileName];
    }
  },
});

export default defineConfig({
  plugins: [oneFile()],
  build: {
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
});
