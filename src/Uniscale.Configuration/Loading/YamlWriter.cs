using System.Collections;
using System.Text;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>A resolved configuration as YAML, each value with a comment that says where it comes from.</summary>
internal sealed class YamlWriter
{
    private const int CommentColumn = 48;

    private readonly StringBuilder output = new();
    private readonly ResolvedConfiguration resolved;
    private readonly bool origins;

    private YamlWriter(ResolvedConfiguration resolved, bool origins)
    {
        this.resolved = resolved;
        this.origins = origins;
    }

    public static string Write(ResolvedConfiguration resolved, bool origins)
    {
        var writer = new YamlWriter(resolved, origins);
        writer.Section(SectionSchema.Root, resolved.Value, "", "");
        return writer.output.ToString();
    }

    private void Section(SectionSchema schema, object record, string path, string indent)
    {
        foreach (var key in schema.Keys)
        {
            var value = key.Property.GetValue(record);
            var keyPath = path.Length == 0 ? key.Name : $"{path}.{key.Name}";
            if (key.Value.Kind == ValueKind.Section && value is not null)
            {
                output.Append(indent).Append(key.Name).Append(":\n");
                Section(key.Value.Section, value, keyPath, indent + "  ");
            }
            else if (key.Value is { Kind: ValueKind.List, Element.Kind: ValueKind.Section } && value is IList { Count: > 0 } sections)
            {
                output.Append(indent).Append(key.Name).Append(":\n");
                for (var i = 0; i < sections.Count; i++)
                    Entry(key.Value.Element.Section, sections[i]!, $"{keyPath}[{i}]", indent + "  ");
            }
            else
            {
                Line($"{indent}{key.Name}: {Flow(key.Value, value)}", keyPath);
            }
        }
    }

    private void Entry(SectionSchema schema, object record, string path, string indent)
    {
        var start = output.Length;
        Section(schema, record, path, indent + "  ");
        output[start + indent.Length] = '-';
    }

    private static string Flow(ValueSchema schema, object? value) => value switch
    {
        IDictionary map => "{" + string.Join(", ", Entries(map).Select(entry => $"{ScalarText.Text(entry.Key)}: {Flow(schema.Element!, entry.Value)}")) + "}",
        IList list => "[" + string.Join(", ", list.Cast<object?>().Select(item => Flow(schema.Element!, item))) + "]",
        _ => ScalarText.Of(schema, value),
    };

    private static IEnumerable<(string Key, object? Value)> Entries(IDictionary map)
    {
        foreach (DictionaryEntry entry in map)
            yield return ((string)entry.Key, entry.Value);
    }

    private void Line(string text, string path)
    {
        output.Append(text);
        if (origins)
            output.Append(' ', Math.Max(1, CommentColumn - text.Length)).Append("# ").Append(resolved.OriginOf(path));
        output.Append('\n');
    }
}
