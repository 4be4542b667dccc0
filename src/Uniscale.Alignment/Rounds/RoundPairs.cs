using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Uniscale.Alignment.Rewards;
using Uniscale.Alignment.Samples;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;

namespace Uniscale.Alignment.Rounds;

/// <summary>A comparison with its label, as <c>data chat --format preference</c> reads it.</summary>
/// <param name="Domain">Domain of the prompt.</param>
/// <param name="Prompt">The prompt.</param>
/// <param name="Chosen">The better answer: a text, or where it does not end by itself a message that says so.</param>
/// <param name="Rejected">The other.</param>
public sealed record LabelledPair(string Domain, JsonNode Prompt, JsonNode Chosen, JsonNode Rejected);

/// <summary>A comparison for people, who cannot see which policy gave which answer.</summary>
/// <param name="Id">Round and place.</param>
/// <param name="Domain">Domain of the prompt.</param>
/// <param name="Prompt">The prompt.</param>
/// <param name="A">An answer.</param>
/// <param name="B">The other.</param>
/// <param name="Better">a, b or tie, as somebody has decided; null: nobody has.</param>
/// <param name="AEnded">False where the first answer was cut off; null: it ends by itself.</param>
/// <param name="BEnded">The same of the other.</param>
public sealed record OpenPair(
    string Id,
    string Domain,
    JsonNode Prompt,
    string A,
    string B,
    string? Better = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? AEnded = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? BEnded = null
);

/// <summary>Pairs of answers of a round: those that show how the reward model is deceived, and those of all policies.</summary>
public static class RoundPairs
{
    private static readonly JsonSerializerOptions Plain = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Answers of two policies to the same prompts.</summary>
    public static IReadOnlyList<AnswerPair> Of(IReadOnlyList<RecordedAnswer> early, IReadOnlyList<RecordedAnswer> late)
    {
        var byNumber = late.ToDictionary(answer => answer.Number);
        return
        [
            .. early
                .Where(answer => byNumber.TryGetValue(answer.Number, out var other) && JsonNode.DeepEquals(answer.Prompt, other.Prompt))
                .Select(answer => new AnswerPair(answer, byNumber[answer.Number])),
        ];
    }

    /// <summary>Writes the pairs of the fast path: patches where rules label them, otherwise pairs for people.</summary>
    /// <param name="folder">The round.</param>
    /// <param name="patterns">What was found.</param>
    /// <param name="section">How many pairs, and the rules.</param>
    /// <param name="seed">Decides which answer stands first.</param>
    public static FastPathResult WriteFast(RoundFolder folder, IReadOnlyList<FoundPattern> patterns, FastPathSection section, long seed)
    {
        AnswerPair[] pairs =
        [
            .. patterns.SelectMany(found => found.Pairs.Take(section.Pairs)).Distinct().OrderBy(pair => pair.Early.Number),
        ];
        if (section.Label.Count == 0)
        {
            WriteOpen(folder.FastPairs, folder.Round, "fast", pairs, seed);
            return new FastPathResult(pairs.Length, 0, 0, pairs.Length);
        }
        RewardRule[] rules = [.. section.Label.Select(RewardRule.Of)];
        double Value(RecordedAnswer answer) => rules.Sum(rule => rule.Weight * rule.Of(answer.Answer, answer.Reference));
        LabelledPair[] patches =
        [
            .. pairs
                .Select(pair => (Pair: pair, Gain: Value(pair.Late) - Value(pair.Early)))
                .Where(labelled => labelled.Gain != 0)
                .Select(labelled =>
                    labelled.Gain > 0
                        ? Prefer(labelled.Pair.Late, labelled.Pair.Early)
                        : Prefer(labelled.Pair.Early, labelled.Pair.Late)
                ),
        ];
        JsonLines.Write(folder.Patches, patches, Plain);
        return new FastPathResult(pairs.Length, patches.Length, pairs.Length - patches.Length, 0);
    }

    /// <summary>
    /// Writes pairs of the first model, the early and the late policy for people, in turn; answers that are the same are none.
    /// </summary>
    /// <returns>Number of pairs.</returns>
    public static int WriteSlow(
        RoundFolder folder,
        IReadOnlyList<RecordedAnswer> first,
        IReadOnlyList<RecordedAnswer> early,
        IReadOnlyList<RecordedAnswer> late,
        int count,
        long seed
    )
    {
        var kinds = ((IReadOnlyList<RecordedAnswer>, IReadOnlyList<RecordedAnswer>)[])[(first, early), (first, late), (early, late)];
        var byKind = kinds.Select(kind => Of(kind.Item1, kind.Item2).ToDictionary(pair => pair.Early.Number)).ToList();
        var pairs = new List<AnswerPair>();
        for (int turn = 0; turn < byKind.Count; turn++)
        {
            for (int i = 0; i < late.Count; i++)
                if (
                    byKind[(i + turn) % byKind.Count].GetValueOrDefault(late[i].Number) is { } pair
                    && pair.Early.Answer != pair.Late.Answer
                )
                    pairs.Add(pair);
        }
        AnswerPair[] written = [.. pairs.Take(count)];
        WriteOpen(folder.SlowPairs, folder.Round, "slow", written, seed);
        return written.Length;
    }

    /// <summary>Comparisons that people have labelled, of all files of a folder in the order of their names.</summary>
    /// <exception cref="UserErrorException">A line is no labelled pair.</exception>
    public static IReadOnlyList<LabelledPair> ReadLabels(string folder)
    {
        if (!Directory.Exists(folder))
            return [];
        var labels = new List<LabelledPair>();
        foreach (string file in Directory.GetFiles(folder, "*.jsonl").Order(StringComparer.Ordinal))
            foreach (var pair in JsonLines.Read<OpenPair>(file, Plain))
            {
                if (pair is not { Prompt: not null, A: not null, B: not null, Domain: not null })
                    throw new UserErrorException(
                        $"{file}: a pair lacks its domain, prompt, a or b: copy whole lines of the pairs.jsonl that was labelled."
                    );
                if (pair.Better is not (null or "" or "a" or "b" or "tie"))
                    throw new UserErrorException($"{file}: better is '{pair.Better}' in {pair.Id}: write a, b or tie, or leave it null.");
                if (pair.Better is "a" or "b")
                    labels.Add(
                        pair.Better == "a"
                            ? new LabelledPair(pair.Domain, pair.Prompt, Node(pair.A, pair.AEnded), Node(pair.B, pair.BEnded))
                            : new LabelledPair(pair.Domain, pair.Prompt, Node(pair.B, pair.BEnded), Node(pair.A, pair.AEnded))
                    );
            }
        return labels;
    }

    /// <summary>Writes labelled pairs as a file of comparisons.</summary>
    public static void Write(string path, IReadOnlyList<LabelledPair> pairs) => JsonLines.Write(path, pairs, Plain);

    private static LabelledPair Prefer(RecordedAnswer better, RecordedAnswer worse) =>
        new(better.Domain, better.Prompt.DeepClone(), Node(better.Answer, better.Ended), Node(worse.Answer, worse.Ended));

    /// <summary>An answer that was cut off has nothing behind it in a comparison either: an end would be another answer.</summary>
    private static JsonNode Node(string answer, bool? ended) =>
        ended is not false
            ? JsonValue.Create(answer)
            : new JsonArray(
                new JsonObject
                {
                    ["role"] = ChatMessage.Assistant,
                    ["content"] = answer,
                    ["ended"] = false,
                }
            );

    private static void WriteOpen(string path, int round, string kind, IReadOnlyList<AnswerPair> pairs, long seed) =>
        JsonLines.Write(
            path,
            pairs.Select(
                (pair, i) =>
                {
                    bool turned = (Mixing.Key((ulong)seed, Mixing.OfName(kind), (ulong)i) & 1) == 1;
                    var (a, b) = turned ? (pair.Late, pair.Early) : (pair.Early, pair.Late);
                    string id = string.Create(CultureInfo.InvariantCulture, $"round-{round}/{kind}/{i}");
                    return new OpenPair(id, pair.Early.Domain, pair.Early.Prompt.DeepClone(), a.Answer, b.Answer)
                    {
                        AEnded = a.Ended ? null : false,
                        BEnded = b.Ended ? null : false,
                    };
                }
            ),
            Plain
        );
}
