using System.Security.Cryptography;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Exams;

/// <summary>How an exam is held.</summary>
/// <param name="Variant">By whose rules.</param>
/// <param name="Scoring">Another scoring than the variant's; null: that.</param>
/// <param name="Shots">Another number of shots than the variant's; null: that.</param>
/// <param name="Limit">Questions of each subject, from the first; 0: all. For trying only.</param>
public sealed record ExamOptions(Variant Variant = Variant.Original, Scoring? Scoring = null, int? Shots = null, int Limit = 0);

/// <summary>What a model scored with a question.</summary>
/// <param name="Subject">The subject.</param>
/// <param name="Question">The question.</param>
/// <param name="LogLikelihoods">Of the options, in order (with <see cref="Scoring.Perplexity"/>: minus the mean loss of the whole prompt).</param>
/// <param name="Chosen">Number of the option that the model chose.</param>
/// <param name="Scores">Metric by metric, 0 or 1; <c>acc</c> first.</param>
public sealed record Sample(Subject Subject, Question Question, IReadOnlyList<double> LogLikelihoods, int Chosen, IReadOnlyDictionary<string, double> Scores);

/// <summary>The samples of an exam, and by which rules they came about.</summary>
public sealed record ExamResult(Exam Exam, ExamOptions Options, ExamRules Rules, int Shots, int? PrefixToken, int Truncated, string TaskHash, IReadOnlyList<Sample> Samples);

/// <summary>Holds exams.</summary>
/// <param name="readers">Models for as many threads: the same weights. Not owned.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
public sealed class ExamRunner(IReadOnlyList<InferenceModel> readers, Tokenizer tokenizer, string modelDigest, AnswerStore answers)
{
    /// <summary>Asks all questions that are not answered yet.</summary>
    public ExamResult Run(Exam exam, ExamOptions options)
    {
        if (options.Limit < 0) throw new UserErrorException($"--limit is {options.Limit}; give 1 or more, or leave it out for all questions.");
        var rules = ExamRules.Of(exam.Name, options.Variant);
        if (options.Scoring is { } scoring) rules = rules with { Scoring = scoring };
        int shots = options.Shots ?? rules.Shots;
        if (shots < 0) throw new UserErrorException($"--shots is {shots}; give 0 or more.");
        var builder = new PromptBuilder(rules, tokenizer, readers[0].Context, shots);
        var asked = exam.Subjects.SelectMany(subject => subject.Questions.Take(options.Limit > 0 ? options.Limit : int.MaxValue)
            .Select(question => (Subject: subject, Question: question, Requests: builder.Requests(subject, question)))).ToList();
        if (asked.Count == 0) throw new UserErrorException($"{exam.Name} has no questions with answers.");
        string task = Digest($"{exam.Name}/{options.Variant}/{rules.Scoring}/{shots}/{tokenizer.Fingerprint}");
        Answer(asked.SelectMany(one => one.Requests), task);
        var samples = asked.Select(one => Score(one.Subject, one.Question, [.. one.Requests.Select(request => AnswerOf(request, task))], one.Requests, rules)).ToList();
        return new ExamResult(exam, options, rules, shots, builder.Prefix, builder.Truncated, task, samples);
    }

    /// <summary>Answers requests of a task that are not answered yet, each reader a part of them.</summary>
    internal void Answer(IEnumerable<LogLikelihoodRequest> requests, string task)
    {
        var open = requests.DistinctBy(request => request.Key(modelDigest, task)).Where(request => !answers.TryGet(request.Key(modelDigest, task), out _));
        var groups = LogLikelihoodReader.Grouped(open);
        ReaderThreads.Run(readers.Count, Part);

        void Part(int rank)
        {
            int first = groups.Count * rank / readers.Count, end = groups.Count * (rank + 1) / readers.Count;
            if (end > first)
                new LogLikelihoodReader(readers[rank]).Answer([.. groups.Skip(first).Take(end - first)], (request, value) => answers.Add(request.Key(modelDigest, task), value));
        }
    }

    internal double AnswerOf(LogLikelihoodRequest request, string task) =>
        answers.TryGet(request.Key(modelDigest, task), out double value) ? value : throw new InvalidOperationException("A request has no answer.");

    /// <summary>Names a task by what it is made of.</summary>
    internal static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

    private static Sample Score(Subject subject, Question question, double[] values, IReadOnlyList<LogLikelihoodRequest> requests, ExamRules rules)
    {
        int count = question.Options.Count;
        double[] own = rules.Scoring == Scoring.Perplexity ? [.. values.Select((value, i) => value / requests[i].Continuation.Length)] : values[..count];
        var scores = new Dictionary<string, double> { ["acc"] = Right(own) };
        if (rules.Scoring == Scoring.Option)
        {
            scores["acc_norm"] = Right([.. own.Select((value, i) => value / question.Options[i].Length)]);
            scores["acc_bytes"] = Right([.. own.Select((value, i) => value / Encoding.UTF8.GetByteCount(question.Options[i]))]);
            scores["acc_mutual_info"] = Right([.. own.Select((value, i) => value - values[count + i])]);
        }
        // What comes out of the lengths alone: a model that knows nothing ranks whole options by them.
        scores["shortest"] = Right([.. question.Options.Select(option => -(double)option.Length)]);
        return new Sample(subject, question, own, Best(own), scores);

        double Right(double[] ranks) => rules.AnyRightAnswer || question.Answers.Count == 1 ? question.Answers.Contains(Best(ranks)) ? 1 : 0 : 0;
    }

    private static int Best(double[] values) => Array.IndexOf(values, values.Max());
}
