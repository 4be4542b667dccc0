using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Needles;

/// <summary>
/// Hides a sentence with a random key in long texts, at several depths, and asks for it (after "Needle in a haystack", G. Kamradt, 2023).
/// Greedy answers; each is
/// on disk at once and found again when the test is taken up.
/// </summary>
/// <param name="model">Shape of the model as it was trained.</param>
/// <param name="open">Opens the weights for a shape that differs in context and rotary positions alone.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
public sealed class NeedleTest(
    ModelSection model,
    Func<ModelSection, IReaders> open,
    Tokenizer tokenizer,
    string modelDigest,
    AnswerStore answers
)
{
    /// <summary>Tokens of the texts that a model reads at a time: their keys and values lie in memory together.</summary>
    private const int BatchTokens = 32_768;

    private const int LargestBatch = 16;

    /// <summary>Texts of so many tokens that a model reads at a time.</summary>
    public static int TextsAtOnce(int length) => Math.Clamp(BatchTokens / length, 1, LargestBatch);

    /// <summary>The test of trained weights, read by threads.</summary>
    /// <param name="model">The weights; not owned.</param>
    /// <param name="tokenizer">Their tokenizer; not owned.</param>
    /// <param name="modelDigest">Names the weights.</param>
    /// <param name="answers">Answered requests; not owned.</param>
    /// <param name="ranks">Threads.</param>
    public static NeedleTest Of(TrainedModel model, Tokenizer tokenizer, string modelDigest, AnswerStore answers, int ranks = 1) =>
        new(model.Shape, shape => ReaderThreads.Of(model, ranks, shape), tokenizer, modelDigest, answers);

    /// <summary>Holds the test: results by length, repeat and depth.</summary>
    /// <param name="haystack">The text.</param>
    /// <param name="options">What is asked.</param>
    /// <exception cref="UserErrorException">A length is not possible with this model.</exception>
    public IReadOnlyList<NeedleResult> Run(Haystack haystack, NeedleOptions options)
    {
        options.Check();
        // All lengths are looked at before anything is computed.
        var shapes = options.Lengths.Select(length => options.At(model, length)).ToList();
        var builder = new CellBuilder(haystack, tokenizer, options);
        var results = new List<NeedleResult>();
        for (int i = 0; i < shapes.Count; i++)
        {
            var (length, shape) = (options.Lengths[i], shapes[i]);
            string task = ExamRunner.Digest($"needle/{shape.RopeScaling}/{shape.RopeFactor:R}/{shape.RopeBase:R}/{(shape.LogNContext > 0 ? $"log-n {shape.LogNContext}/" : "")}{tokenizer.Fingerprint}");
            var cells = builder.Of(length);
            using var readers = open(shape);
            var generated = new GeneratedAnswers(
                readers,
                tokenizer,
                modelDigest,
                answers,
                TextsAtOnce(length)
            );
            // The deepest needle first: the texts of the others begin like its text.
            var texts = generated.Of([.. cells.Reverse().Select(cell => Request(cell, options))], task);
            results.AddRange(cells.Zip(texts.Reverse(), (cell, text) => new NeedleResult(cell, text)));
        }
        return results;
    }

    private GenerationRequest Request(NeedleCell cell, NeedleOptions options) =>
        new(cell.Prompt)
        {
            Sampling = SamplingOptions.Greedy,
            MaxTokens = options.AnswerTokens,
            StopTokens =
                tokenizer.EndId >= 0
                    ?
                    [
                        [tokenizer.EndId],
                    ]
                    : [],
        };
}
