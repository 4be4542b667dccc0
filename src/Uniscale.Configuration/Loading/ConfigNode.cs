namespace Uniscale.Configuration.Loading;

/// <summary>A YAML value with its place.</summary>
internal abstract record ConfigNode(Origin Origin);

/// <summary>A scalar; <paramref name="Plain"/>: written without quotes (only then can it be a number, a truth value or null).</summary>
internal sealed record ScalarNode(string Text, bool Plain, Origin Origin) : ConfigNode(Origin)
{
    private const int ShownCharacters = 64;

    /// <summary>What stood here before the environment was put in; null: the value itself.</summary>
    public Reference? Reference { get; init; }

    /// <summary>Tagged <c>!secret</c>.</summary>
    public bool IsMarkedSecret { get; init; }

    /// <summary>A secret of a stored configuration that is not set here, so that the text is no value.</summary>
    public bool IsAbsent { get; init; }

    /// <summary>The value as a message may show it: shortened, and never a secret.</summary>
    public string Shown => Reference is { IsSecret: true } secret ? secret.Text : Excerpt(Text);

    /// <summary>The beginning of a text, on one line, for messages.</summary>
    public static string Excerpt(string text) =>
        (text.Length <= ShownCharacters ? text : text[..ShownCharacters] + "…").ReplaceLineEndings(" ");

    public bool IsNull => Plain && Text is "" or "~" or "null";
}

/// <summary>A sequence.</summary>
internal sealed record ListNode(IReadOnlyList<ConfigNode> Items, Origin Origin) : ConfigNode(Origin);

/// <summary>A mapping; entries keep their order and the place of their keys.</summary>
internal sealed record MapNode(IReadOnlyList<MapEntry> Entries, Origin Origin) : ConfigNode(Origin)
{
    public ConfigNode? this[string key] => Entries.FirstOrDefault(entry => entry.Key == key)?.Value;

    public MapNode With(MapEntry entry) =>
        this with
        {
            Entries = this[entry.Key] is null ? [.. Entries, entry] : [.. Entries.Select(old => old.Key == entry.Key ? entry : old)],
        };

    public MapNode Without(string key) => this with { Entries = [.. Entries.Where(entry => entry.Key != key)] };

    /// <summary>This map over <paramref name="below"/>: maps merge, everything else replaces.</summary>
    public MapNode Over(MapNode below)
    {
        var merged = new OrderedDictionary<string, MapEntry>(StringComparer.Ordinal);
        foreach (var entry in below.Entries)
            merged[entry.Key] = entry;
        foreach (var entry in Entries)
        {
            var both =
                entry.Value is MapNode upper && merged.TryGetValue(entry.Key, out var lower) && lower.Value is MapNode map
                    ? upper.Over(map)
                    : entry.Value;
            merged[entry.Key] = entry with { Value = both };
        }
        return new MapNode([.. merged.Values], Origin);
    }
}

/// <summary>A key of a mapping with its value.</summary>
internal sealed record MapEntry(string Key, Origin KeyOrigin, ConfigNode Value);
