using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Execution;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;

namespace Uniscale.Evaluation.Tasks;

/// <summary>Asks a model all tasks: one that lies on disk, or one that is being trained.</summary>
/// <param name="shape">Shape of the model.</param>
/// <param name="open">Opens the weights for a shape that differs in context and rotary positions alone; one after the other.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
public sealed class Evaluator(
    ModelSection shape,
    Func<ModelSection, IReaders> open,
    Tokenizer tokenizer,
    string modelDigest,
    AnswerStore answers
)
{
    /// <summary>Runs programs that the model writes.</summary>
    public ICodeRunner Code { get; init; } = PythonSandbox.Default;

    /// <summary>Asks what is not answered yet.</summary>
    /// <exception cref="UserErrorException">A question cannot be asked of this model.</exception>
    public Evaluated Run(EvaluationTasks tasks)
    {
        var (exams, perplexity) = Read(tasks);
        return new Evaluated(exams, perplexity, tasks.AsksNeedles ? Needles(tasks) : null);
    }

    /// <summary>Refuses what <see cref="Run"/> would refuse in the middle, without a model.</summary>
    /// <exception cref="UserErrorException">A question cannot be asked of a model with this context.</exception>
    public static void Check(EvaluationTasks tasks, ModelSection shape, Tokenizer tokenizer)
    {
        foreach (var (exam, rules) in tasks.Exams)
            ExamRunner.Check(exam, rules, tasks.Options, tokenizer, shape.Context);
        if (tasks.Documents is not null)
            Perplexity.PrefixOf(tokenizer);
        if (!tasks.AsksNeedles)
            return;
        var (haystack, options) = NeedlesOf(tasks, shape.Context, tokenizer);
        new CellBuilder(haystack, tokenizer, options).Of(options.Lengths[0]);
    }

    private (IReadOnlyList<ExamResult> Exams, Perplexity? Perplexity) Read(EvaluationTasks tasks)
    {
        if (tasks.Exams.Count == 0 && tasks.Documents is null)
            return ([], null);
        using var readers = open(shape);
        var runner = new ExamRunner(readers, tokenizer, modelDigest, answers) { Code = Code };
        List<ExamResult> exams = [.. tasks.Exams.Select(held => runner.Run(held.Exam, held.Rules, tasks.Options))];
        return (exams, tasks.Documents is { } documents ? Perplexity.Of(runner, tokenizer, shape.Context, documents) : null);
    }

    private NeedleReport Needles(EvaluationTasks tasks)
    {
        var (haystack, options) = NeedlesOf(tasks, shape.Context, tokenizer);
        return new NeedleReport(
            haystack.Name,
            options,
            new NeedleTest(shape, open, tokenizer, modelDigest, answers).Run(haystack, options)
        );
    }

    /// <summary>The needle test over the whole context and three shorter lengths, of which those that have room for a text.</summary>
    private static (Haystack Haystack, NeedleOptions Options) NeedlesOf(EvaluationTasks tasks, int context, Tokenizer tokenizer)
    {
        var options = new NeedleOptions { Lengths = [context / 8, context / 4, context / 2, context] };
        var haystack = tasks.NeedleText is { } text
            ? Haystack.Of(EvaluationTasks.NeedleName, text, tokenizer)
            : Haystack.Filler(options.Seed, tokenizer);
        int shortest = new CellBuilder(haystack, tokenizer, options).ShortestLength;
        int[] lengths = [.. options.Lengths.Where(length => length >= shortest)];
        return lengths.Length > 0
            ? (haystack, options with { Lengths = lengths })
            : throw new UserErrorException(
                $"The needle test needs texts of {shortest} tokens with this tokenizer, but the model's context is {context}: leave the task out."
            );
    }
}
