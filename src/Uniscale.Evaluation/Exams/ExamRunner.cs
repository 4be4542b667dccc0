using System.Security.Cryptography;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Exams;

/// <summary>How an exam is held.</summary>
/// <param name="Variant">By whose rules.</param>
/// <param name="Scoring">Another scoring than the variant's; null: that.</param>
/// <param name="Shots">Another number of shots than the variant's; null: that.</param>
/// <param name="Limit">Questions of each subject, from the first; 0: all. For trying only.</param>
public sealed record ExamOptions(Variant Variant = Variant.Original, Scoring? Scoring = null, int? Shots = null, int Limit = 0)
{
    /// <summary>Another number of tokens that the model may write than the task's; 0: that.</summary>
    public int AnswerTokens { get; init; }
}

/// <summary>What a model scored with a question.</summary>
/// <param name="Subject">The subject.</param>
/// <param name="Question">The question.</param>
/// <param name="LogLikelihoods">Of the options, in order (with <see cref="Scoring.Perplexity"/>: minus the mean loss of the whole
/// prompt).</param>
/// <param name="Chosen">Number of the option that the model chose; -1: it wrote an answer.</param>
/// <param name="Scores">Metric by metric, from 0 to 1; the one that counts first.</param>
public sealed record Sample(
    Subject Subject,
    Question Question,
    IReadOnlyList<double> LogLikelihoods,
    int Chosen,
    IReadOnlyDictionary<string, double> Scores
)
{
    /// <summary>What the model wrote; empty where it was not asked to.</summary>
    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <summary>The answer: a letter, or what the rule took from the first text.</summary>
    public string Answer { get; init; } = Chosen >= 0 ? Question.LetterOf(Chosen).ToString() : "";
}

/// <summary>The samples of an exam, and by which rules they came about.</summary>
public sealed record ExamResult(
    Exam Exam,
    ExamOptions Options,
    ExamRules Rules,
    int Shots,
    int? PrefixToken,
    int Truncated,
    string TaskHash,
    IReadOnlyList<Sample> Samples
);

/// <summary>Holds exams.</summary>
/// <param name="readers">Models for as many threads: the same weights. Not owned.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
public sealed class ExamRunner(IReadOnlyList<InferenceModel> readers, Tokenizer tokenizer, string modelDigest, AnswerStore answers)
{
    /// <summary>Asks all questions that are not answered yet, by the rules of the exam's variant.</summary>
    public ExamResult Run(Exam exam, ExamOptions options) => Run(exam, ExamRules.Of(exam.Name, options.Variant), options);

    /// <summary>Asks all questions that are not answered yet.</summary>
    public ExamResult Run(Exam exam, ExamRules rules, ExamOptions options)
    {
        if (options.Limit < 0)
            throw new UserErrorException($"--limit is {options.Limit}; give 1 or more, or leave it out for all questions.");
        if (options.AnswerTokens < 0)
            throw new UserErrorException($"--answer-tokens is {options.AnswerTokens}; give 1 or more.");
        if (options.Scoring is { } scoring)
            rules = rules with { Scoring = scoring };
        if (options.AnswerTokens > 0)
            rules = rules with { AnswerTokens = options.AnswerTokens };
        int shots = options.Shots ?? rules.Shots;
        if (shots < 0)
            throw new UserErrorException($"--shots is {shots}; give 0 or more.");
        var builder = new PromptBuilder(rules, tokenizer, readers[0].Context, shots);
        var asked = exam
            .Subjects.SelectMany(subject =>
                subject
                    .Questions.Take(options.Limit > 0 ? options.Limit : int.MaxValue)
                    .Select(question => (Subject: subject, Question: question))
            )
            .ToList();
        if (asked.Count == 0)
            throw new UserErrorException($"{exam.Name} has no questions with answers.");
        string task = Digest($"{exam.Name}/{options.Variant}/{rules.Scoring}/{shots}/{tokenizer.Fingerprint}");
        var samples = rules.Scoring == Scoring.Written ? Written(asked, builder, rules, task) : Chosen(asked, builder, rules, task);
        return new ExamResult(exam, options, rules, shots, builder.Prefix, builder.Truncated, task, samples);
    }

    private List<Sample> Chosen(
        IEnumerable<(Subject Subject, Question Question)> asked,
        PromptBuilder builder,
        ExamRules rules,
        string task
    )
    {
        var requests = asked.Select(one => (one.Subject, one.Question, Requests: builder.Requests(one.Subject, one.Question))).ToList();
        Answer(requests.SelectMany(one => one.Requests), task);
        return
        [
            .. requests.Select(one =>
                Score(one.Subject, one.Question, [.. one.Requests.Select(request => AnswerOf(request, task))], one.Requests, rules)
            ),
        ];
    }

    private List<Sample> Written(
        IEnumerable<(Subject Subject, Question Question)> asked,
        PromptBuilder builder,
        ExamRules rules,
        string task
    )
    {
        var requests = asked.Select(one => (one.Subject, one.Question, Requests: builder.Written(one.Subject, one.Question))).ToList();
        var texts = new GeneratedAnswers(readers, tokenizer, modelDigest, answers).Of([.. requests.SelectMany(one => one.Requests)], task);
        return
        [
            .. requests.Select((one, i) => Score(one.Subject, one.Question, [.. texts.Skip(i * rules.Samples).Take(rules.Samples)], rules)),
        ];
    }

    /// <summary>Answers requests of a task that are not answered yet, each reader a part of them.</summary>
    internal void Answer(IEnumerable<LogLikelihoodRequest> requests, string task)
    {
        var open = requests
            .DistinctBy(request => request.Key(modelDigest, task))
            .Where(request => !answers.TryGet(request.Key(modelDigest, task), out _));
        var groups = LogLikelihoodReader.Grouped(open);
        ReaderThreads.Run(readers.Count, Part);

        void Part(int rank)
        {
            int first = groups.Count * rank / readers.Count,
                end = groups.Count * (rank + 1) / readers.Count;
            if (end > first)
                new LogLikelihoodReader(readers[rank]).Answer(
                    [.. groups.Skip(first).Take(end - first)],
                    (request, value) => answers.Add(request.Key(modelDigest, task), value)
                );
        }
    }

    internal double AnswerOf(LogLikelihoodRequest request, string task) =>
        answers.TryGet(request.Key(modelDigest, task), out double value)
            ? value
            : throw new InvalidOperationException("A request has no answer.");

    /// <summary>Names a task by what it is made of.</summary>
    internal static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

    /// <summary>The mean of all texts, and what k of them would have shown.</summary>
    private static Sample Score(Subject subject, Question question, string[] texts, ExamRules rules)
    {
        var rule = question.Rule ?? rules.Rule;
        var each = texts.Select(text => WrittenScores.Of(question, rule, text)).ToList();
        var scores = each[0].Keys.ToDictionary(metric => metric, metric => each.Average(one => one[metric]));
        int right = each.Count(one => one.Values.First() == 1);
        foreach (int k in rules.PassAt)
            scores[$"pass@{k}"] = WrittenScores.PassAt(texts.Length, right, k);
        return new Sample(subject, question, [], -1, scores) { Texts = texts, Answer = WrittenScores.Taken(question, rule, texts[0]) };
    }

    private static Sample Score(
        Subject subject,
        Question question,
        double[] values,
        IReadOnlyList<LogLikelihoodRequest> requests,
        ExamRules rules
    )
    {
        int count = question.Options.Count;
        double[] own =
            rules.Scoring == Scoring.Perplexity
                ? [.. values.Select((value, i) => value / requests[i].Continuation.Length)]
                : values[..count];
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

        double Right(double[] ranks) =>
            rules.AnyRightAnswer || question.Answers.Count == 1
                ? question.Answers.Contains(Best(ranks))
                    ? 1
                    : 0
                : 0;
    }

    private static int Best(double[] values) => Array.IndexOf(values, values.Max());
}
