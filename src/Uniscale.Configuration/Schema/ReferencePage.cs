using System.Collections;
using System.Globalization;
using System.Text;
using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration.Schema;

/// <summary>docs/reference/configuration.md: how configuration works, and every key with its type, bounds, default and meaning.</summary>
public static class ReferencePage
{
    private const string Opening = """
        # Configuration

        This page is generated: `uniscale config --docs > docs/reference/configuration.md`. A test fails when it is not current.

        A run is described by one YAML file. `uniscale config FILE.yaml` shows it resolved, with the origin of each value.

        - **Precedence**, the later wins: defaults, model preset, files named by `extends`, the file itself, `--set key=value`.
        - **`extends: base.yaml`** (or a list; paths relative to the file): maps merge, lists and single values replace.
        - **`model.preset`**: gpt2, llama, internlm or internlm2 fill what the model section does not say.
        - **A phase** takes what it does not say from the run, within its `batch` too (a `global` or `ramp` of its own ends the run's ramp).
        - **`--set model.layers=12`**: any key, list entries by index (`data.sources[0].weight=2`), values as YAML (`parallel={tensor: 2}`).
        - **`${VAR}`** and **`${VAR:-default}`** are taken from the environment, in flow maps too (`{ lr: ${LR:-1e-3} }`); `$${` stands for the characters `${`.
          What is stored with a run has the value, and the reference as a comment beside it.
        - **Secrets**: of a variable whose name speaks of a key, token, password, secret or credential (`${API_KEY}`), and of a value marked `!secret ${NAME}`,
          only the reference is stored and shown, never the value: [limits](limits.md#secrets).
        - **Numbers** may be written `10_000`, everywhere, and mean the same. Tokens take K, M, B (or G), T (`4M tokens`, `1.6T`); bytes KB, MB, GB and KiB, MiB, GiB;
          durations ms, s, min, h, d; speeds K to P (`1.2T`).
        - **Paths** of data and runs are relative to the folder in which the command runs; `~/` is the home folder.
        - **Strict**: an unknown key, a key given twice, a wrong type or a number out of its bounds is refused with file, line and column.
          Rules between keys (heads divide the width, batches divide among the replicas, ...) are checked before anything starts.
        - **Bounds** of files, values and nesting: [limits](limits.md#configuration). What a resume may change: [checkpoints](checkpoints.md#resuming).

        In editors with a YAML language server, the first line `# yaml-language-server: $schema=uniscale.schema.json` gives completion and checks.
        """;

    /// <summary>The page as Markdown with a closing newline.</summary>
    public static string Write()
    {
        var page = new StringBuilder(Opening).Append('\n');
        Section(page, SectionSchema.Root, "", []);
        Presets(page);
        return page.ToString();
    }

    private static void Section(StringBuilder page, SectionSchema schema, string path, HashSet<Type> written)
    {
        if (!written.Add(schema.Type))
            return;
        page.Append(
            CultureInfo.InvariantCulture,
            $"\n## {(path.Length == 0 ? "The file" : $"`{path}`")}\n\n{Documentation.Of(schema.Type)}\n\n"
        );
        page.Append("| key | type | default | meaning |\n|---|---|---|---|\n");
        object defaults = Activator.CreateInstance(schema.Type)!;
        foreach (var key in schema.Keys)
            page.Append(
                CultureInfo.InvariantCulture,
                $"| `{key.Name}` | {TypeOf(key.Value)} | {DefaultOf(key, key.Property.GetValue(defaults))} | {Meaning(key)} |\n"
            );
        foreach (var key in schema.Keys)
        {
            var inner = key.Value.Kind == ValueKind.List ? key.Value.Element! : key.Value;
            if (inner.Kind == ValueKind.Section)
                Section(
                    page,
                    inner.Section,
                    $"{(path.Length == 0 ? "" : path + ".")}{key.Name}{(key.Value.Kind == ValueKind.List ? "[]" : "")}",
                    written
                );
        }
    }

    private static string TypeOf(ValueSchema schema)
    {
        string name = schema switch
        {
            { Kind: ValueKind.List } => "list of " + TypeOf(schema.Element!),
            { Kind: ValueKind.Map } => "map to " + TypeOf(schema.Element!),
            { Kind: ValueKind.Section } => "section",
            { Kind: ValueKind.Choice } => string.Join(", ", schema.Choices.Select(choice => $"`{choice.Name}`")),
            { OneOf: { } names } => string.Join(", ", names.Select(value => $"`{value}`")),
            { Kind: ValueKind.Duration } => "duration",
            { Unit: Unit.Tokens } => "tokens",
            { Unit: Unit.Bytes } => "bytes",
            { Unit: Unit.Flops } => "FLOP/s",
            { Kind: ValueKind.Integer } => "whole number",
            { Kind: ValueKind.Number } => "number",
            { Kind: ValueKind.Boolean } => "`true`, `false`",
            { IsPath: true } => "path",
            _ => "text",
        };
        return schema.Kind is ValueKind.List or ValueKind.Map || schema.Range is null ? name : $"{name}, {schema.Range.Describe()}";
    }

    private static string DefaultOf(KeySchema key, object? value) =>
        value switch
        {
            _ when key.Value.Kind == ValueKind.Section => value is null ? "none" : "",
            null => "none",
            string { Length: 0 } => "",
            ICollection { Count: 0 } => "empty",
            IEnumerable<string> names => $"`[{string.Join(", ", names)}]`",
            _ => $"`{ScalarText.Of(key.Value, value)}`",
        };

    private static string Meaning(KeySchema key)
    {
        string summary = Documentation.Of(key.Property);
        var choices = key
            .Value.Choices.Select(choice => (choice.Name, Text: Documentation.Of(choice.Field)))
            .Where(choice => choice.Text.Length > 0);
        string list = string.Join(' ', choices.Select(choice => $"`{choice.Name}`: {choice.Text}"));
        return $"{summary} {list}".Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    private static void Presets(StringBuilder page)
    {
        page.Append("\n## Presets\n\n| key |");
        var presets = Loading
            .Presets.Known.Select(name =>
                (name, model: ConfigurationLoader.Parse($"model: {{preset: {name}}}\ntrain: {{steps: 1}}").Value.Model)
            )
            .ToArray();
        foreach (var (name, _) in presets)
            page.Append(CultureInfo.InvariantCulture, $" {name} |");
        page.Append("\n|---|").Append(string.Concat(Enumerable.Repeat("---|", presets.Length))).Append('\n');
        foreach (var key in SectionSchema.Of(typeof(ModelSection)).Keys.Where(key => key.Name != "preset"))
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{key.Name}` |");
            foreach (var (_, model) in presets)
                page.Append(CultureInfo.InvariantCulture, $" {ScalarText.Of(key.Value, key.Property.GetValue(model))} |");
            page.Append('\n');
        }
    }
}
