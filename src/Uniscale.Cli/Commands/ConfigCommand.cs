using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Programs;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale config</c>: the resolved configuration with the origin of each value, the JSON schema, the reference page.
/// </summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        var json = CommonOptions.Json();
        var schema = new Option<bool>("--schema")
        {
            Description = "Print the JSON schema of configuration files (configs/uniscale.schema.json), for editors.",
        };
        var docs = new Option<bool>("--docs") { Description = "Print the reference of all keys (docs/reference/configuration.md)." };
        var ranks = new Option<int?>("--ranks")
        {
            Description = "Check also that the layout and the batch fit this number of ranks.",
            HelpName = "N",
        };
        var command = new Command(
            "config",
            "Show a configuration as it will be used, with the origin of each value: file and line, preset, --set or default."
        );
        var configuration = new ConfigurationInput(command, required: false);
        command.Add(ranks);
        command.Add(json);
        command.Add(schema);
        command.Add(docs);
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            if (
                (parsed.GetValue(schema) || parsed.GetValue(docs))
                && (configuration.File(parsed) is not null || configuration.Overrides(parsed).Count > 0)
            )
                throw new UserErrorException("--schema and --docs speak of all configurations: leave the file and --set out.");
            if (parsed.GetValue(schema))
                output.Write(JsonSchema.Write());
            else if (parsed.GetValue(docs))
                output.Write(ReferencePage.Write());
            else
                Show(configuration.Load(parsed), parsed.GetValue(ranks), parsed.GetValue(json), output);
            return 0;
        });
        return command;
    }

    private static void Show(ResolvedConfiguration resolved, int? ranks, bool json, TextWriter output)
    {
        if (ranks is { } count)
            LayoutGate.CheckWorld(resolved.Value, count);
        if (json)
            output.WriteLine(resolved.ToJson());
        else
            output.Write(resolved.ToYaml(origins: true));
    }
}
