// The least that prints a help text with yargs.
import yargs from "yargs";

await yargs(["--help"]).scriptName("least").command("node", "runs a node").strict().parseAsync();
