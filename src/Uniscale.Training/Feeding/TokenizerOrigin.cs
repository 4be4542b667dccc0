using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>Holds the shards of a run against its tokenizer.</summary>
internal static class TokenizerOrigin
{
    /// <summary>
    /// Refuses shards that say they were made by another tokenizer than the run's. A vocabulary of the same size lets every token pass, so
    /// a run would train, and be validated, asked and released with another text than its own.
    /// </summary>
    /// <exception cref="UserErrorException">A training or validation shard is another tokenizer's; it says which.</exception>
    public static void Check(RunConfiguration configuration, Tokenizer tokenizer)
    {
        foreach (var section in configuration.Data.Sources.Concat(configuration.Data.Validation))
            foreach (string shard in ShardPaths.Expand(section.Shards, section.Name))
                TokenizationRecord.CheckTokenizer(shard, tokenizer);
    }
}
