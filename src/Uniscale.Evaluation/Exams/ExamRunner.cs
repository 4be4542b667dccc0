using System.Security.Cryptography;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Execution;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Exams;

/// <summary>How an exam is held.</summary>
/// <param name="Variant">By whose rules.</param>
/// <param name="Scoring">Another scoring than the variant's; null: that.</param>
/// <param name="Shots">Another number of shots than the variant's; null: that.</param>
/// <param name="Limit">Questions of each subject, from the first; 0: all. For trying only.</param>
public sealed record ExamOptions(ExamVariant Variant = ExamVariant.Original, Scoring? Scoring = null, int? Shots = null, int Limit = 0)
{
    /// <summary>Another number of tokens that the model may write than the task's; 0: that.</summary>
    public int AnswerTokens { get; init; }

    /// <summary>Texts that the model writes for each question; 0: as many as the task says.</summary>
    public int Samples { get; init; }

    /// <summary>Temperature of the texts; null: the task's.</summary>
    public double? Temperature { get; init; }

    /// <summary>The k of pass@k; empty: the task's.</summary>
    public IReadOnlyList<int> PassAt { get; init; } = [];

    /// <summary>Refuses numbers that make no sense, with a sentence.</summary>
    internal void Check()
    {
        if (Limit < 0)
            throw new UserErrorException($"--limit is {Limit}; give 1 or more, or leave it out for all questions.");
        if (AnswerTokens < 0)
            throw new UserErrorException($"--answer-tokens is {AnswerTokens}; give 1 or more.");
        if (Shots < 0)
            throw new UserErrorException($"--shots is {Shots}; give 0 or more.");
        if (Samples < 0)
            throw new UserErrorException($"--samples is {Samples}; give 1 or more.");
        if (Temperature < 0)
            throw new UserErrorException($"--temperature is {Temperature}; give 0 or more.");
    }

    /// <summary>The rules with what is asked otherwise.</summary>
    internal ExamRules Of(string exam, ExamRules rules)
    {
        rules = rules with
        {
            Scoring = Scoring ?? rules.Scoring,
            AnswerTokens = AnswerTokens > 0 ? AnswerTokens : rules.AnswerTokens,
            Shots = Shots ?? rules.Shots,
            Samples = Samples > 0 ? Samples : rules.Samples,
            Temperature = Temperature ?? rules.Temperature,
            PassAt = PassAt.Count > 0 ? PassAt : rules.PassAt,
        };
        if (rules is { Samples: > 1, Temperature: 0 })
            throw new UserErrorException(
                $"{exam} writes {rules.Samples} texts at temperature 0, which would be the same text each time: give --temperature, for example 0.8."
            );
        return rules.PassAt.FirstOrDefault(k => k < 1 || k > rules.Samples) is var odd and not 0
            ? throw new UserErrorException(
                $"pass@{odd} of {exam} needs 1 to {rules.Samples} samples: give --samples {Math.Max(odd, 1)} or more."
            )
            : rules;
    }
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

/// <summary>The samples of an exam, and by which rules they came about; <c>Shots</c> counts those that were there to be shown.</summary>
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
/// <param name="readers">The model; not owned.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="modelDigest">Names the weights.</param>
/// <param name="answers">Answered requests; not owned.</param>
public sealed class ExamRunner(IReaders readers, Tokenizer tokenizer, string modelDigest, AnswerStore answers)
{
    /// <summary>Runs programs that the model writes.</summary>
    public ICodeRunner Code { get; init; } = PythonSandbox.Default;

    /// <summary>Asks all questions that are not answered yet, by the rules of the exam's variant.</summary>
    public ExamResult Run(Exam exam, ExamOptions options) => Run(exam, ExamRules.Of(exam.Name, options.Variant), options);

    /// <summary>Asks all questions that are not answered yet.</summary>
    public ExamResult Run(Exam exam, ExamRules rules, ExamOptions options)
    {
        options.Check();
        rules = options.Of(exam.Name, rules);
        var builder = new PromptBuilder(rules, tokenizer, readers.Context, rules.Shots);
        var asked = Asked(exam, options);
        string task = Digest($"{exam.Name}/{options.Variant}/{rules.Scoring}/{rules.Shots}/{tokenizer.Fingerprint}");
        if (rules.Rule == AnswerRule.Code)
            Code.Check();
        var samples = rules.Scoring == Scoring.Written ? Written(asked, builder, rules, task) : Chosen(asked, builder, rules, task);
        // What stands in tables is what was shown: an exam without files of shots shows none.
        int shown = Math.Min(rules.Shots, exam.Subjects.Max(subject => subject.Shots.Count));
        return new ExamResult(exam, options, rules, shown, builder.Prefix, builder.Truncated, task, samples);
    }

    /// <summary>Refuses questions that cannot be asked of a model with this context.</summary>
    internal static void Check(Exam exam, ExamRules rules, ExamOptions options, Tokenizer tokenizer, int context)
    {
        rules = options.Of(exam.Name, rules);
        if (rules.Rule == AnswerRule.Code)
            PythonSandbox.Default.Check();
        var builder = new PromptBuilder(rules, tokenizer, context, rules.Shots);
        foreach (var (subject, question) in Asked(exam, options))
            _ = rules.Scoring == Scoring.Written ? (object)builder.Written(subject, question) : builder.Requests(subject, question);
    }

    private static List<(Subject Subject, Question Question)> Asked(Exam exam, ExamOptions options)
    {
        var asked = exam
            .Subjects.SelectMany(subject =>
                subject.Questions.Take(options.Limit > 0 ? options.Limit : int.MaxValue).Select(question => (subject, question))
            )
            .ToList();
        return asked.Count > 0 ? asked : throw new UserErrorException($"{exam.Name} has no questions with answers.");
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
        var scored = requests
            .Select((one, i) => (one.Subject, one.Question, Texts: texts.Skip(i * rules.Samples).Take(rules.Samples).ToArray()))
            .ToList();
        // Programs are waited for, so that several may run.
        return rules.Rule == AnswerRule.Code
            ? [.. scored.AsParallel().AsOrdered().Select(one => Score(one.Subject, one.Question, one.Texts, rules))]
            : [.. scored.Select(one => Score(one.Subject, one.Question, one.Texts, rules))];
    }

    /// <summary>Answers requests of a task that are not answered yet, each reader a part of them.</summary>
    internal void Answer(IEnumerable<LogLikelihoodRequest> requests, string task)
    {
        var open = requests
            .DistinctBy(request => request.Key(modelDigest, task))
            .Where(request => !answers.TryGet(request.Key(modelDigest, task), out _));
        var groups = LogLikelihoodReader.Grouped(open);
        readers.Share(
            groups,
            (model, own) =>
                new LogLikelihoodReader(model).Answer(own, (request, value) => answers.Add(request.Key(modelDigest, task), value))
        );
    }

    internal double AnswerOf(LogLikelihoodRequest request, string task) =>
        answers.TryGet(request.Key(modelDigest, task), out double value)
            ? value
            : throw new InvalidOperationException("A request has no answer.");

    /// <summary>Names a task by what it is made of.</summary>
    internal static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

    /// <summary>The mean of all texts, and what k of them would have shown.</summary>
    private Sample Score(Subject subject, Question question, string[] texts, ExamRules rules)
    {
        var rule = question.Rule ?? rules.Rule;
        var each = texts.Select(text => WrittenScores.Of(question, rule, text, Code)).ToList();
        var scores = each[0].Keys.ToDictionary(metric => metric, metric => each.Average(one => one[metric]));
        int right = each.Count(one => one.Values.First() == 1);
        if (rules.Metric is { } common)
            scores = new Dictionary<string, double>([KeyValuePair.Create(common, scores.Values.First()), .. scores]);
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
