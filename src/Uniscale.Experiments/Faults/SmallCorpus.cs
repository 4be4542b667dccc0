using Uniscale.Data;

namespace Uniscale.Experiments.Faults;

/// <summary>A few documents of counting tokens: something to learn, made in milliseconds, the same everywhere.</summary>
internal static class SmallCorpus
{
    private const int Documents = 400, DocumentTokens = 40;

    /// <summary>Writes the shard and returns its prefix.</summary>
    public static string Write(string folder, int vocabulary)
    {
        string prefix = Path.Combine(folder, "corpus");
        using var writer = new ShardWriter(prefix, vocabulary);
        for (int document = 0; document < Documents; document++)
        {
            // A step through the vocabulary that differs from document to document.
            int stride = 1 + document % 5;
            writer.Add([.. Enumerable.Range(0, DocumentTokens).Select(i => (document * 7 + i * stride) % vocabulary)]);
        }
        writer.Complete();
        return prefix;
    }
}
