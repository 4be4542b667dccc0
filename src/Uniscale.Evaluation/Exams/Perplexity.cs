using System.Text;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Exams;

/// <summary>
/// How well a model predicts plain text, as lm-evaluation-harness counts it: each document alone, in windows of the whole context that do
/// not overlap.
/// </summary>
/// <param name="Documents">Documents.</param>
/// <param name="Tokens">Tokens that were predicted: all.</param>
/// <param name="Words">Stretches between white space.</param>
/// <param name="Bytes">Bytes of UTF-8.</param>
/// <param name="LogLikelihood">Sum of log-probabilities, in nats.</param>
/// <param name="Window">Tokens of a window; it moves on by as many.</param>
/// <param name="PrefixToken">The token before each document.</param>
public sealed record Perplexity(int Documents, long Tokens, long Words, long Bytes, double LogLikelihood, int Window, int PrefixToken)
{
    /// <summary>Parts of a window by which the loss is told.</summary>
    private const int Parts = 8;

    /// <summary>
    /// Loss by place in the window, each an eighth of it: how much a model gains from what stands far before. Only places that a document
    /// reaches.
    /// </summary>
    public IReadOnlyList<PlaceLoss> ByPlace { get; init; } = [];

    /// <summary>exp(−Σ / words).</summary>
    public double OfWords => Math.Exp(-LogLikelihood / Words);

    /// <summary>exp(−Σ / bytes).</summary>
    public double OfBytes => Math.Exp(-LogLikelihood / Bytes);

    /// <summary>−Σ / bytes / ln 2: the one figure that compares between vocabularies.</summary>
    public double BitsPerByte => -LogLikelihood / Bytes / Math.Log(2);

    /// <summary>The documents of a text file, of the lines of a JSON Lines file ("text"), or of all such files of a folder.</summary>
    /// <exception cref="UserErrorException">There is no text.</exception>
    public static IReadOnlyList<string> ReadDocuments(string path)
    {
        IEnumerable<string> files =
            Directory.Exists(path)
                ? Directory
                    .EnumerateFiles(path, "*", SearchOption.AllDirectories)
                    .Where(file => Path.GetExtension(file) is ".txt" or ".md" or ".jsonl")
                    .Order(StringComparer.Ordinal)
            : File.Exists(path) ? [path]
            : throw new UserErrorException($"There is no text {path}: name a file or a folder of .txt, .md and .jsonl files with --data.");
        var documents = files
            .SelectMany(file => Path.GetExtension(file) == ".jsonl" ? Lines(file) : [TextFile.All(file)])
            .Where(text => text.Length > 0)
            .ToList();
        return documents.Count > 0 ? documents : throw new UserErrorException($"There is no text in {path}.");
    }

    /// <summary>Measures documents.</summary>
    public static Perplexity Of(ExamRunner runner, Tokenizer tokenizer, int context, IReadOnlyList<string> documents)
    {
        int prefix = PrefixOf(tokenizer);
        var windows = documents.SelectMany(document => Windows(tokenizer.Encode(document), prefix, context)).ToList();
        var parts = windows.SelectMany(window => PartsOf(window, context)).ToList();
        string task = ExamRunner.Digest($"perplexity/{context}/{prefix}/{tokenizer.Fingerprint}");
        runner.Answer(parts.Select(part => part.Request), task);
        var scored = parts
            .Select(part => (part.Place, part.Request.Continuation.Length, Sum: runner.AnswerOf(part.Request, task)))
            .ToList();
        return new Perplexity(
            documents.Count,
            scored.Sum(part => (long)part.Length),
            documents.Sum(document => (long)document.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length),
            documents.Sum(document => (long)Encoding.UTF8.GetByteCount(document)),
            scored.Sum(part => part.Sum),
            context,
            prefix
        )
        {
            ByPlace =
            [
                .. scored
                    .GroupBy(part => part.Place)
                    .OrderBy(place => place.Key)
                    .Select(place => new PlaceLoss(
                        Edge(place.Key, context),
                        Edge(place.Key + 1, context),
                        place.Sum(part => (long)part.Length),
                        -place.Sum(part => part.Sum) / place.Sum(part => (long)part.Length)
                    )),
            ],
        };
    }

    /// <summary>A window in parts, each behind those before it.</summary>
    private static IEnumerable<(int Place, LogLikelihoodRequest Request)> PartsOf(LogLikelihoodRequest window, int context)
    {
        for (int place = 0; place < Parts; place++)
        {
            int first = Edge(place, context),
                end = Math.Min(Edge(place + 1, context), window.Continuation.Length);
            if (end > first)
                yield return (
                    place,
                    new LogLikelihoodRequest([.. window.Context, .. window.Continuation[..first]], window.Continuation[first..end])
                );
        }
    }

    private static int Edge(int place, int context) => (int)((long)context * place / Parts);

    /// <summary>The token before each document.</summary>
    /// <exception cref="UserErrorException">The tokenizer has none.</exception>
    internal static int PrefixOf(Tokenizer tokenizer) =>
        TextStart.Of(tokenizer)
        ?? throw new UserErrorException(
            "The tokenizer has neither an end nor a begin of text, so the first token of a document cannot be predicted."
        );

    /// <summary>
    /// The first window predicts as many tokens as fit behind the prefix, later ones as many behind the last token of the window before.
    /// </summary>
    internal static IEnumerable<LogLikelihoodRequest> Windows(int[] tokens, int prefix, int context)
    {
        for (int first = 0; first < tokens.Length; first += context)
            yield return new LogLikelihoodRequest(
                [first == 0 ? prefix : tokens[first - 1]],
                tokens[first..Math.Min(tokens.Length, first + context)]
            );
    }

    private static IEnumerable<string> Lines(string file)
    {
        int number = 0;
        foreach (string line in TextFile.Lines(file))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            string? text;
            try
            {
                using var document = JsonDocument.Parse(line);
                text = document.RootElement.GetProperty("text").GetString();
            }
            catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new UserErrorException($"Line {number} of {file} is no JSON object with a \"text\".", failure);
            }
            yield return text ?? "";
        }
    }
}

/// <summary>The loss at some places of windows.</summary>
/// <param name="First">First place, from 0.</param>
/// <param name="End">The place behind the last.</param>
/// <param name="Tokens">Tokens that were predicted there.</param>
/// <param name="Loss">Mean loss of one, in nats.</param>
public sealed record PlaceLoss(int First, int End, long Tokens, double Loss);
