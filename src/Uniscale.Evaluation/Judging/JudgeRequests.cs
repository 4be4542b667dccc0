using System.Text.Encodings.Web;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Judging;

/// <summary>Asks a judge: a model, or whoever has written a file of verdicts.</summary>
public static class JudgeRequests
{
    private static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Lets a model judge, greedily.</summary>
    /// <param name="pairs">The answers.</param>
    /// <param name="readers">The model; not owned.</param>
    /// <param name="tokenizer">Its tokenizer; not owned.</param>
    /// <param name="modelDigest">Names its weights.</param>
    /// <param name="store">Answered requests; not owned.</param>
    /// <param name="maxTokens">Tokens of a judgement.</param>
    /// <param name="name">The judge, for the report.</param>
    /// <exception cref="UserErrorException">A question with both answers does not fit the judge's context.</exception>
    public static JudgeReport Ask(
        IReadOnlyList<JudgedPair> pairs,
        IReaders readers,
        Tokenizer tokenizer,
        string modelDigest,
        AnswerStore store,
        int maxTokens,
        string name
    )
    {
        var requests = pairs.SelectMany(pair => (GenerationRequest[])[Request(pair, false), Request(pair, true)]).ToList();
        string task = ExamRunner.Digest($"judge/{tokenizer.Fingerprint}");
        var texts = new GeneratedAnswers(readers, tokenizer, modelDigest, store).Of(requests, task);
        return new JudgeReport(
            name,
            [
                .. pairs.Select(
                    (pair, i) => new JudgedAnswers(pair, JudgeProtocol.VerdictOf(texts[2 * i]), JudgeProtocol.VerdictOf(texts[2 * i + 1]))
                ),
            ]
        );

        GenerationRequest Request(JudgedPair pair, bool swapped)
        {
            int[] tokens =
            [
                .. TextStart.Of(tokenizer) is { } start ? (int[])[start] : [],
                .. tokenizer.Encode(JudgeProtocol.Prompt(pair, swapped)),
            ];
            return tokens.Length + maxTokens <= readers.Context
                ? new GenerationRequest(tokens)
                {
                    Sampling = SamplingOptions.Greedy,
                    MaxTokens = maxTokens,
                    StopTokens =
                        tokenizer.EndId >= 0
                            ?
                            [
                                [tokenizer.EndId],
                            ]
                            : [],
                }
                : throw new UserErrorException(
                    $"Question {pair.Id} with both answers has {tokens.Length} tokens, which with {maxTokens} of a judgement do not fit the judge's context of {readers.Context}: use another judge, or fewer --tokens."
                );
        }
    }

    /// <summary>The requests as JSON lines of id, order (<c>ab</c>, <c>ba</c>) and prompt, for a judge elsewhere.</summary>
    public static IEnumerable<string> Lines(IEnumerable<JudgedPair> pairs) =>
        pairs.SelectMany(pair =>
            new[] { false, true }.Select(swapped =>
                JsonSerializer.Serialize(
                    new
                    {
                        id = pair.Id,
                        order = OrderOf(swapped),
                        prompt = JudgeProtocol.Prompt(pair, swapped),
                    },
                    Line
                )
            )
        );

    /// <summary>
    /// Takes verdicts from JSON lines of id, order and verdict (words with [[A]], [[B]] or [[C]], of what stood first and second).
    /// </summary>
    /// <exception cref="UserErrorException">A line is none of these, or a verdict is missing.</exception>
    public static JudgeReport Read(IReadOnlyList<JudgedPair> pairs, string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"There is no file of verdicts {path}.");
        var verdicts = new Dictionary<(string Id, string Order), JudgeVerdict>();
        int number = 0;
        foreach (string line in TextFile.Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using var document = JsonDocument.Parse(line);
                var record = document.RootElement;
                verdicts[(record.GetProperty("id").GetString()!, record.GetProperty("order").GetString()!)] = JudgeProtocol.VerdictOf(
                    record.GetProperty("verdict").GetString() ?? throw new JsonException("There is no verdict.")
                );
            }
            catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new UserErrorException(
                    $"{path}, line {number} is no verdict: a JSON object with id, order (ab or ba) and verdict is expected.",
                    failure
                );
            }
        }
        return new JudgeReport(path, [.. pairs.Select(pair => new JudgedAnswers(pair, Of(pair, false), Of(pair, true)))]);

        JudgeVerdict Of(JudgedPair pair, bool swapped) =>
            verdicts.TryGetValue((pair.Id, OrderOf(swapped)), out var verdict)
                ? verdict
                : throw new UserErrorException($"{path} has no verdict on question '{pair.Id}' in the order {OrderOf(swapped)}.");
    }

    private static string OrderOf(bool swapped) => swapped ? "ba" : "ab";
}
