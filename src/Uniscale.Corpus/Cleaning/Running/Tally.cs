using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>So much text; tokens are 0 where no tokenizer counts them.</summary>
public sealed record Amount
{
    /// <summary>Documents.</summary>
    public long Documents { get; set; }

    /// <summary>Bytes of text as UTF-8.</summary>
    public long Bytes { get; set; }

    /// <summary>Tokens, where they were counted; else 0.</summary>
    public long Tokens { get; set; }

    internal void Add(long documents, long bytes, long tokens) =>
        (Documents, Bytes, Tokens) = (Documents + documents, Bytes + bytes, Tokens + tokens);

    internal void Add(Amount other) => Add(other.Documents, other.Bytes, other.Tokens);
}

/// <summary>A dropped document, for a reader of the report.</summary>
/// <param name="Id">Of the document.</param>
/// <param name="Domain">Where it was.</param>
/// <param name="Source">Where it came from.</param>
/// <param name="Language">Its language, where known when it was dropped.</param>
/// <param name="Text">Its beginning.</param>
public sealed record DroppedSample(string Id, string Domain, string Source, string? Language, string Text);

/// <summary>What one rule did.</summary>
public sealed record RuleTally
{
    private const int SampleCharacters = 400;

    /// <summary>Documents dropped.</summary>
    public Amount Dropped { get; init; } = new();

    /// <summary>Documents that lost a part of their text, and the text they lost.</summary>
    public Amount Cut { get; init; } = new();

    /// <summary>Dropped documents, those whose id has the least digest: the same ones whoever dropped them.</summary>
    public List<DroppedSample> Samples { get; init; } = [];

    internal void AddSample(CleaningDocument document, string domain, string text, int most)
    {
        if (most == 0 || (Samples.Count == most && Rank(document.Id) >= Rank(Samples[^1].Id)))
            return;
        int length = Math.Min(SampleCharacters, text.Length);
        length -= length > 0 && char.IsHighSurrogate(text[length - 1]) ? 1 : 0;
        Insert(new DroppedSample(document.Id, domain, document.Source, document.Language, text[..length]), most);
    }

    internal void Add(RuleTally other, int mostSamples)
    {
        Dropped.Add(other.Dropped);
        Cut.Add(other.Cut);
        foreach (var sample in other.Samples)
            Insert(sample, mostSamples);
    }

    private void Insert(DroppedSample sample, int most)
    {
        int place = Samples.FindIndex(held => Rank(held.Id) > Rank(sample.Id));
        Samples.Insert(place < 0 ? Samples.Count : place, sample);
        if (Samples.Count > most)
            Samples.RemoveAt(most);
    }

    private static ulong Rank(string id) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(id.AsSpan()));
}

/// <summary>What became of the documents of one shard in one stage.</summary>
public sealed record StageTally
{
    /// <summary>What came in.</summary>
    public Amount Input { get; init; } = new();

    /// <summary>By the rule's name.</summary>
    public Dictionary<string, RuleTally> Rules { get; init; } = [];

    /// <summary>What was kept, by language; "unknown" where no rule has found it.</summary>
    public SortedDictionary<string, Amount> Kept { get; init; } = new(StringComparer.Ordinal);

    internal RuleTally Of(string rule)
    {
        if (!Rules.TryGetValue(rule, out var tally))
            Rules[rule] = tally = new RuleTally();
        return tally;
    }

    internal void Keep(CleaningDocument document, long tokens)
    {
        string language = document.Language ?? "unknown";
        if (!Kept.TryGetValue(language, out var amount))
            Kept[language] = amount = new Amount();
        amount.Add(1, document.Bytes, tokens);
    }
}
