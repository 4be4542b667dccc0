using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Tasks;

namespace Uniscale.Evaluation.Results;

/// <summary>The scores of a task, of a group of its subjects, or of a subject.</summary>
/// <param name="Name">Its name, e.g. <c>mmlu</c> or <c>mmlu_STEM</c>.</param>
/// <param name="Method">By which rules: variant, scoring and shots in words; a score is one of a method.</param>
/// <param name="Metrics">Metric by metric, the one that counts first.</param>
/// <param name="IsPart">Whether it is a part of another task.</param>
public sealed record TaskScores(string Name, string Method, IReadOnlyDictionary<string, Score> Metrics, bool IsPart = false)
{
    /// <summary>All scores of an evaluation: each task before its parts.</summary>
    public static IReadOnlyList<TaskScores> Of(Evaluated evaluated)
    {
        var scores = new List<TaskScores>();
        foreach (var exam in evaluated.Exams)
        {
            string method =
                $"{exam.Options.Variant.ToString().ToLowerInvariant()}, {exam.Rules.Scoring.ToString().ToLowerInvariant()}, {exam.Shots} shots";
            scores.AddRange(ScoredTask.Of(exam).Select((task, i) => new TaskScores(task.Name, method, task.Metrics, IsPart: i > 0)));
        }
        if (evaluated.Needles is { } needles)
            scores.Add(
                new TaskScores(
                    EvaluationTasks.NeedleName,
                    $"{needles.Options.Lengths[0]} to {needles.Options.Lengths[^1]} tokens, {needles.Options.Depths} depths",
                    new Dictionary<string, Score> { ["found"] = needles.Found, ["score"] = needles.Mean }
                )
            );
        if (evaluated.Perplexity is { } text)
        {
            var figures = new Dictionary<string, Score>
            {
                ["bits_per_byte"] = new(text.BitsPerByte, double.NaN, text.Documents),
                ["byte_perplexity"] = new(text.OfBytes, double.NaN, text.Documents),
            };
            if (double.IsFinite(text.OfWords))
                figures["word_perplexity"] = new(text.OfWords, double.NaN, text.Documents);
            scores.Add(new TaskScores(EvaluationTasks.PerplexityName, $"windows of {text.Window} tokens", figures));
        }
        return scores;
    }
}
