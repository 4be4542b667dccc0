using System.Collections;
using System.Text;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>What stands behind the values.</summary>
internal enum YamlComments
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>What a value of the environment looked like before.</summary>
    References,

    /// <summary>Where each value comes from, and its reference.</summary>
    Origins,
}

/// <summary>A resolved configuration as YAML, each value with a comment that says where it comes from.</summary>
internal sealed class YamlWriter
{
    private const int CommentColumn = 48;

    private readonly StringBuilder _output = new();
    private readonly ResolvedConfiguration _resolved;
    private readonly YamlComments _comments;

    private YamlWriter(ResolvedConfiguration resolved, YamlComments comments)
    {
        this._resolved = resolved;
        this._comments = comments;
    }

    public static string Write(ResolvedConfiguration resolved, YamlComments comments)
    {
        var writer = new YamlWriter(resolved, comments);
        writer.Section(SectionSchema.Root, resolved.Value, "", "");
        return writer._output.ToString();
    }

    private void Section(SectionSchema schema, object record, string path, string indent)
    {
        foreach (var key in schema.Keys)
        {
            object? value = key.Property.GetValue(record);
            string keyPath = path.Length == 0 ? key.Name : $"{path}.{key.Name}";
            if (key.Value.Kind == ValueKind.Section && value is not null)
            {
                _output.Append(indent).Append(key.Name).Append(":\n");
                Section(key.Value.Section, value, keyPath, indent + "  ");
            }
            else if (key.Value is { Kind: ValueKind.List, Element.Kind: ValueKind.Section } && value is IList { Count: > 0 } sections)
            {
                _output.Append(indent).Append(key.Name).Append(":\n");
                for (int i = 0; i < sections.Count; i++)
                    Entry(key.Value.Element.Section, sections[i]!, $"{keyPath}[{i}]", indent + "  ");
            }
            else
            {
                Line($"{indent}{key.Name}: {Flow(key.Value, value, keyPath)}", keyPath);
            }
        }
    }

    private void Entry(SectionSchema schema, object record, string path, string indent)
    {
        int start = _output.Length;
        Section(schema, record, path, indent + "  ");
        _output[start + indent.Length] = '-';
    }

    private string Flow(ValueSchema schema, object? value, string path) =>
        value switch
        {
            IDictionary map => "{"
                + string.Join(
                    ", ",
                    Entries(map)
                        .Select(entry => $"{ScalarText.Text(entry.Key)}: {Flow(schema.Element!, entry.Value, $"{path}.{entry.Key}")}")
                )
                + "}",
            IList list => "["
                + string.Join(", ", list.Cast<object?>().Select((item, i) => Flow(schema.Element!, item, $"{path}[{i}]")))
                + "]",
            _ when _resolved.References.GetValueOrDefault(path) is { IsSecret: true } secret =>
                $"{Reference.SecretTag} {ScalarText.Quoted(secret.Text)}",
            _ => ScalarText.Of(schema, value),
        };

    private static IEnumerable<(string Key, object? Value)> Entries(IDictionary map)
    {
        foreach (DictionaryEntry entry in map)
            yield return ((string)entry.Key, entry.Value);
    }

    private void Line(string text, string path)
    {
        _output.Append(text);
        var references = _comments == YamlComments.None ? [] : ReferencesOf(path);
        if (_comments == YamlComments.Origins || references.Count > 0)
        {
            string[] parts =
            [
                .. _comments == YamlComments.Origins ? [$"{_resolved.OriginOf(path)}"] : Array.Empty<string>(),
                .. references,
            ];
            _output.Append(' ', Math.Max(1, CommentColumn - text.Length)).Append("# ").AppendJoin(", ", parts);
        }
        _output.Append('\n');
    }

    /// <summary>What the values of a line looked like before the environment was put in; secrets stand in the line itself.</summary>
    private List<string> ReferencesOf(string path) =>
        [
            .. _resolved
                .References.Where(pair =>
                    !pair.Value.IsSecret
                    && pair.Key.StartsWith(path, StringComparison.Ordinal)
                    && (pair.Key.Length == path.Length || pair.Key[path.Length] is '[' or '.')
                )
                .Select(pair => pair.Value.Text.ReplaceLineEndings(" ")),
        ];
}
