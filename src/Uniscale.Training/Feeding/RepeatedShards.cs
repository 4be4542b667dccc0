using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>Shards that a run's data names in two places. They may be meant, so they are told and not refused.</summary>
internal static class RepeatedShards
{
    /// <summary>A sentence for each pair of places that share shards.</summary>
    public static IReadOnlyList<string> Of(RunConfiguration configuration)
    {
        var training = Places(configuration.Data.Sources);
        var validation = Places(configuration.Data.Validation);
        return
        [
            .. from i in Enumerable.Range(0, training.Count)
            from j in Enumerable.Range(i + 1, training.Count - i - 1)
            from shard in training[i].Shards.Intersect(training[j].Shards).Take(1)
            select $"The sources {training[i].Name} and {training[j].Name} both have the shard {shard}: its text is read in the share of each.",
            .. from source in training
            from set in validation
            from shard in source.Shards.Intersect(set.Shards).Take(1)
            select $"The source {source.Name} and the validation set {set.Name} both have the shard {shard}: its loss is of text that was trained on.",
        ];
    }

    private static List<(string Name, HashSet<string> Shards)> Places(IEnumerable<SourceSection> sections) =>
    [
        .. sections.Select(section =>
            (section.Name, ShardPaths.Expand(section.Shards, section.Name).Select(Path.GetFullPath).ToHashSet(StringComparer.Ordinal))
        ),
    ];
}
