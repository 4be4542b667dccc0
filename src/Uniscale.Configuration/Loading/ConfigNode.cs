namespace Uniscale.Configuration.Loading;

/// <summary>A YAML value with its place.</summary>
internal abstract record ConfigNode(Origin Origin);

/// <summary>A scalar; <paramref name="Plain"/>: written without quotes (only then can it be a number, a truth value or null).</summary>
internal sealed record ScalarNode(string Text, bool Plain, Origin Origin) : ConfigNode(Origin)
{
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
            Entries = this[entry.Key] is null
                ? [.. Entries, entry]
                : [.. Entries.Select(old => old.Key == entry.Key ? entry : old)],
        };

    public MapNode Without(string key) => this with { Entries = [.. Entries.Where(entry => entry.Key != key)] };

    /// <summary>This map over <paramref name="below"/>: maps merge, everything else replaces.</summary>
    public MapNode Over(MapNode below)
    {
        var merged = below;
        foreach (var entry in Entries)
        {
            var both = entry.Value is MapNode upper && below[entry.Key] is MapNode lower ? upper.Over(lower) : entry.Value;
            merged = merged.With(entry with { Value = both });
        }
        return merged with { Origin = Origin };
    }
}

/// <summary>A key of a mapping with its value.</summary>
internal sealed record MapEntry(string Key, Origin KeyOrigin, ConfigNode Value);
