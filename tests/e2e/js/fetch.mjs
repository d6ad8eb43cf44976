// One POST by Node's own fetch; says as JSON what came of it.
const { url, body } = JSON.parse(process.argv[2]);
try {
  const answer = await fetch(url, { method: "POST", body });
  console.log(await answer.text());
} catch (error) {
  console.log(JSON.stringify({ error: error.name, cause: error.cause?.message }));
}
