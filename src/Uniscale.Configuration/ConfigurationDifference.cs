using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration;

/// <summary>A value that differs between the configuration stored with a run and the one that continues it.</summary>
/// <param name="Path">Its key, e.g. <c>optimizer.lr</c>.</param>
/// <param name="Before">As it was stored; null: it was not there.</param>
/// <param name="After">As it is; null: it is not there any more.</param>
/// <param name="Origin">Where the present value comes from.</param>
public sealed record ConfigurationChange(string Path, string? Before, string? After, Origin Origin)
{
    /// <summary>In words: <c>optimizer.lr: 0.0003 -> 0.001 (--set)</c>.</summary>
    public override string ToString() => $"{Path}: {Before ?? "absent"} -> {After ?? "absent"} ({Origin})";
}

/// <summary>What differs between the configuration stored with a run and the one that continues it.</summary>
public static class ConfigurationDifference
{
    /// <summary>Behind the path of a secret among <see cref="Values"/>.</summary>
    public const string SecretSuffix = " (secret)";

    /// <summary>
    /// One change for each value that differs. <paramref name="stored"/> is what <see cref="ResolvedConfiguration.ToYaml"/> wrote, perhaps
    /// by another version:
    /// keys that one side lacks are shown as absent. A secret counts by its reference.
    /// </summary>
    public static IReadOnlyList<ConfigurationChange> Of(string stored, ResolvedConfiguration current)
    {
        var before = Flatten(stored);
        var after = Flatten(current.ToYaml());
        return
        [
            .. before
                .Keys.Union(after.Keys)
                .Where(path => before.GetValueOrDefault(path) != after.GetValueOrDefault(path))
                .Select(path => new ConfigurationChange(
                    path,
                    before.GetValueOrDefault(path),
                    after.GetValueOrDefault(path),
                    current.OriginOf(path)
                )),
        ];
    }

    /// <summary>
    /// Every value by its path, as <see cref="Of"/> compares them. A secret is there as its reference, and again with
    /// <see cref="SecretSuffix"/> as a digest that
    /// tells two apart and is not to be shown.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Values(ResolvedConfiguration configuration)
    {
        var values = Flatten(configuration.ToYaml());
        foreach (var (path, reference) in configuration.References)
            if (reference.IsSecret)
                values[path + SecretSuffix] = reference.Digest;
        return values;
    }

    /// <summary>
    /// Every value of a stored configuration by its path, as the text stands: variables, secrets and other files that it names are not
    /// looked up.
    /// </summary>
    /// <exception cref="UserErrorException">The text is no YAML, or too much of it.</exception>
    public static IReadOnlyDictionary<string, string> ValuesOf(string yaml) => Flatten(yaml);

    private static Dictionary<string, string> Flatten(string yaml)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        Flatten(YamlReader.Read(yaml, (line, column) => new Origin.InFile("stored configuration", (int)line, (int)column)), "", values);
        return values;
    }

    private static void Flatten(ConfigNode node, string path, Dictionary<string, string> values)
    {
        switch (node)
        {
            case MapNode { Entries.Count: > 0 } map:
                foreach (var entry in map.Entries)
                    Flatten(entry.Value, path.Length == 0 ? entry.Key : $"{path}.{entry.Key}", values);
                break;
            case ListNode { Items: [MapNode, ..] } list:
                for (int i = 0; i < list.Items.Count; i++)
                    Flatten(list.Items[i], $"{path}[{i}]", values);
                break;
            default:
                values[path] = Text(node);
                break;
        }
    }

    private static string Text(ConfigNode node) =>
        node switch
        {
            ScalarNode scalar => scalar.Text.Length == 0 ? "''" : scalar.Text,
            ListNode list => "[" + string.Join(", ", list.Items.Select(Text)) + "]",
            _ => "{}",
        };
}
