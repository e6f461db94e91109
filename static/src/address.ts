// Addresses of topics and their parts. The grammar is that of server/reading/topic.go.

/** topicPath is the address of a topic's page: see TopicPath in views/address.go. */
export function topicPath(topic: string): string {
  const { name, labels } = parts(topic);
  return `/t/${name.split("/").map(encodeURIComponent).join("/")}${encodeURIComponent(labels).replaceAll("'", "%27")}`;
}

/** parts cuts a topic into its name and its labels with their braces. */
export function parts(topic: string): { name: string; labels: string } {
  const brace = topic.indexOf("{");
  return brace < 0 ? { name: topic, labels: "" } : { name: topic.slice(0, brace), labels: topic.slice(brace) };
}
