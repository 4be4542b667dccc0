using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Evaluation.Needles;

/// <summary>Text in which needles are hidden: documents as tokens, repeated as often as a length needs.</summary>
public sealed class Haystack
{
    /// <summary>Things that made sentences are about.</summary>
    internal static readonly IReadOnlyList<string> Things =
    [
        "river",
        "garden",
        "market",
        "teacher",
        "window",
        "winter",
        "letter",
        "bridge",
        "village",
        "lantern",
        "harbour",
        "forest",
        "painter",
        "engine",
        "mountain",
        "orchard",
    ];

    private readonly IReadOnlyList<int[]> _documents;

    private Haystack(string name, IReadOnlyList<int[]> documents)
    {
        Name = name;
        _documents = [.. documents.Where(document => document.Length > 0)];
        if (_documents.Count == 0)
            throw new UserErrorException($"{name} has no text to hide needles in.");
    }

    /// <summary>Where the text is from.</summary>
    public string Name { get; }

    /// <summary>Documents of text.</summary>
    /// <param name="name">Where they are from.</param>
    /// <param name="documents">Their texts; a blank line comes behind each.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    public static Haystack Of(string name, IEnumerable<string> documents, Tokenizer tokenizer) =>
        new(name, [.. documents.Where(text => !string.IsNullOrWhiteSpace(text)).Select(text => tokenizer.Encode(text.TrimEnd() + "\n\n"))]);

    /// <summary>The first documents of shards, without the tokens that separate them.</summary>
    /// <param name="shards">Shards as users name them.</param>
    /// <param name="tokens">Tokens that are enough.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <exception cref="UserErrorException">There is no such shard, or it was made with another tokenizer.</exception>
    public static Haystack OfShards(IReadOnlyCollection<string> shards, long tokens, Tokenizer tokenizer)
    {
        var documents = new List<int[]>();
        foreach (string prefix in ShardPaths.Find(shards))
        {
            using var shard = TokenShard.Open(prefix);
            for (long number = 0; number < shard.DocumentCount && tokens > 0; number++)
            {
                long start = shard.DocumentStart(number);
                int[] document = new int[Math.Min(tokens, shard.DocumentStart(number + 1) - start)];
                shard.Read(start, document);
                if (document.FirstOrDefault(token => (uint)token >= (uint)tokenizer.Size, -1) is var wrong and not -1)
                    throw new UserErrorException(
                        $"{prefix} holds token {wrong}, which the model's vocabulary of {tokenizer.Size} lacks: it was made with another tokenizer."
                    );
                documents.Add([.. document.Where(token => token != tokenizer.EndId && token != tokenizer.BeginId)]);
                tokens -= document.Length;
            }
        }
        return new Haystack(string.Join(", ", shards), documents);
    }

    /// <summary>Made sentences of English words, without digits: the same for the same seed.</summary>
    public static Haystack Filler(long seed, Tokenizer tokenizer)
    {
        const int Documents = 64,
            Sentences = 40;
        string[] actions =
        [
            "follows",
            "remembers",
            "leaves",
            "watches",
            "carries",
            "finds",
            "crosses",
            "paints",
            "covers",
            "answers",
            "passes",
            "keeps",
        ];
        string[] manners =
        [
            "slowly",
            "in the morning",
            "without a word",
            "before the rain",
            "every autumn",
            "at the corner",
            "with great care",
            "near the old road",
        ];
        ulong draw = 0;
        return Of(
            "made sentences",
            Enumerable
                .Range(0, Documents)
                .Select(_ =>
                    string.Join(
                        ' ',
                        Enumerable
                            .Range(0, Sentences)
                            .Select(_ => $"The {Pick(Things)} {Pick(actions)} the {Pick(Things)} {Pick(manners)}.")
                    )
                ),
            tokenizer
        );

        string Pick(IReadOnlyList<string> words) =>
            words[(int)(Mixing.Key(unchecked((ulong)seed), Mixing.OfName("filler"), draw++) % (ulong)words.Count)];
    }

    /// <summary>The first tokens of the documents in an order of the seed's, from the begin again where they end.</summary>
    public int[] Tokens(int count, long seed)
    {
        int[] order = [.. Enumerable.Range(0, _documents.Count).OrderBy(number => Mixing.Key(unchecked((ulong)seed), (ulong)number))];
        int[] tokens = new int[count];
        for (int filled = 0, next = 0; filled < count; next++)
        {
            int[] document = _documents[order[next % order.Length]];
            int taken = Math.Min(document.Length, count - filled);
            document.AsSpan(0, taken).CopyTo(tokens.AsSpan(filled));
            filled += taken;
        }
        return tokens;
    }
}
