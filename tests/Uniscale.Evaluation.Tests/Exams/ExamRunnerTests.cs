using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Exams;

public sealed class ExamRunnerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-exam-runner-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly Exam Made = new(
        "mmlu",
        [
            .. new[] { ("anatomy", "other", 9), ("astronomy", "STEM", 4), ("virology", "other", 1) }.Select(subject => new Subject(
                subject.Item1,
                subject.Item1,
                subject.Item2,
                [Ask(subject.Item1, 100)],
                [.. Enumerable.Range(0, subject.Item3).Select(i => Ask(subject.Item1, i))]
            )),
        ]
    );

    private static Question Ask(string subject, int i) =>
        new(
            $"{subject}/{i}",
            $"Which water is the answer {i * 7 % 11}?",
            [$"the light {i}", "water", "of the following choice", $"none {i * i}"],
            [i % 4]
        );

    /// <summary>Any number of ranks, and an evaluation that was killed in the middle: the same table.</summary>
    [Theory]
    [InlineData(ExamVariant.Original, null)]
    [InlineData(ExamVariant.Harness, Scoring.Option)]
    [InlineData(ExamVariant.OpenCompass, null)]
    public void RanksAndStopsDoNotMoveADigit(ExamVariant variant, Scoring? scoring)
    {
        var options = new ExamOptions(variant, scoring);
        string one = Table("one", options, 1, out string lines);
        Assert.Equal(one, Table("three", options, 3, out _));
        // A file with a part of the answers is what a kill leaves.
        string[] answers = File.ReadAllLines(Path.Combine(_folder, "one", "answers.tsv"));
        Directory.CreateDirectory(Path.Combine(_folder, "killed"));
        File.WriteAllText(
            Path.Combine(_folder, "killed", "answers.tsv"),
            string.Join('\n', answers[..(answers.Length / 3)]) + "\n" + answers[^1][..10]
        );
        Assert.Equal(one, Table("killed", options, 2, out string again));
        Assert.Equal(lines, again);
    }

    /// <summary>The mean of all questions, or of the subjects: here they differ.</summary>
    [Fact]
    public void AveragesAreThoseOfTheVariant()
    {
        var questions = Result("a", new ExamOptions(ExamVariant.Harness), 1);
        var subjects = new ExamResult(
            questions.Exam,
            questions.Options,
            questions.Rules with
            {
                Averaging = Averaging.Subjects,
            },
            questions.Shots,
            0,
            0,
            "",
            questions.Samples
        );
        // 'shortest' does not depend on the model: option B is the shortest of all questions.
        double ofQuestions = ScoredTask.Of(questions)[0].Metrics["shortest"].Value,
            ofSubjects = ScoredTask.Of(subjects)[0].Metrics["shortest"].Value;
        double[] shares =
        [
            .. questions.Samples.GroupBy(sample => sample.Subject.Name).Select(group => group.Average(sample => sample.Scores["shortest"])),
        ];
        Assert.Equal(questions.Samples.Average(sample => sample.Scores["shortest"]), ofQuestions, 12);
        Assert.Equal(shares.Average(), ofSubjects, 12);
        Assert.NotEqual(ofQuestions, ofSubjects);
        Assert.Equal(
            ["mmlu", "mmlu_STEM", "mmlu_other", "mmlu_anatomy", "mmlu_astronomy", "mmlu_virology"],
            ScoredTask.Of(questions).Select(task => task.Name)
        );
    }

    [Fact]
    public void StandardErrorsAreThoseOfTheSampleDeviation()
    {
        var score = Score.Of([1, 0, 0, 1, 1]);
        Assert.Equal(0.6, score.Value, 12);
        Assert.Equal(Math.Sqrt(1.2 / 4 / 5), score.Error, 12);
        Assert.True(double.IsNaN(Score.Of([1]).Error));
    }

    [Fact]
    public void AQuestionWithSeveralRightAnswersFollowsTheVariant()
    {
        var several = new Exam(
            "agieval",
            [
                new Subject(
                    "jec-qa-kd",
                    "jec-qa-kd",
                    "",
                    [],
                    [Ask("j", 1) with { Answers = [0, 1, 2, 3] }, Ask("j", 2) with { Answers = [] }]
                ),
            ]
        );
        Assert.Equal(
            [1.0, 0.0],
            Result("h", new ExamOptions(ExamVariant.Harness), 1, several).Samples.Select(sample => sample.Scores["acc"])
        );
        Assert.Equal(
            [0.0, 0.0],
            Result("o", new ExamOptions(ExamVariant.Original), 1, several).Samples.Select(sample => sample.Scores["acc"])
        );
    }

    [Fact]
    public void ResultsHaveTheHarnessLayout()
    {
        var result = Result("r", new ExamOptions(ExamVariant.Original, Limit: 2), 1);
        using var document = JsonDocument.Parse(ResultFiles.Results(new Evaluated([result]), "runs/x", "digest", DateTimeOffset.UnixEpoch));
        var root = document.RootElement;
        Assert.InRange(root.GetProperty("results").GetProperty("mmlu").GetProperty("acc,none").GetDouble(), 0, 1);
        Assert.Equal("N/A", root.GetProperty("results").GetProperty("mmlu_virology").GetProperty("acc_stderr,none").GetString());
        Assert.Equal(
            (14, 5),
            (
                root.GetProperty("n-samples").GetProperty("mmlu").GetProperty("original").GetInt32(),
                root.GetProperty("n-samples").GetProperty("mmlu").GetProperty("effective").GetInt32()
            )
        );
        Assert.Equal("original", root.GetProperty("configs").GetProperty("mmlu").GetProperty("variant").GetString());
        Assert.Equal(5, ResultFiles.Samples(result).Count());
    }

    [Fact]
    public void PerplexityCountsBytesAndWordsOfTheText() =>
        Use(
            "p",
            1,
            (runner, tokenizer, context) =>
            {
                string[] documents = ["the water is light\nand the", "以下是中国", string.Concat(Enumerable.Repeat("which answer ", 400))];
                var measured = Perplexity.Of(runner, tokenizer, context, documents);
                Assert.Equal(
                    (3, 6L + 1 + 800, documents.Sum(text => (long)System.Text.Encoding.UTF8.GetByteCount(text))),
                    (measured.Documents, measured.Words, measured.Bytes)
                );
                Assert.Equal(documents.Sum(text => (long)tokenizer.Encode(text).Length), measured.Tokens);
                Assert.Equal(Math.Log2(measured.OfBytes), measured.BitsPerByte, 9);
                Assert.True(measured.LogLikelihood < 0 && measured.OfWords > measured.OfBytes);
                return 0;
            }
        );

    [Fact]
    public void WindowsPredictEveryTokenOnce()
    {
        var windows = Perplexity.Windows([.. Enumerable.Range(10, 11)], prefix: 1, context: 4).ToList();
        Assert.Equal([1, 13, 17], windows.Select(window => Assert.Single(window.Context)));
        Assert.Equal(Enumerable.Range(10, 11), windows.SelectMany(window => window.Continuation));
    }

    [Fact]
    public void WhatMakesNoSenseIsRefused()
    {
        Assert.Contains("--limit is -1", Refused(new ExamOptions(Limit: -1)), StringComparison.Ordinal);
        Assert.Contains("--shots is -2", Refused(new ExamOptions(Shots: -2)), StringComparison.Ordinal);

        string Refused(ExamOptions options) => Assert.Throws<UserErrorException>(() => Result("x", options, 1)).Message;
    }

    private string Table(string name, ExamOptions options, int ranks, out string samples)
    {
        var result = Result(name, options, ranks);
        samples = string.Join('\n', ResultFiles.Samples(result));
        return string.Join('\n', ResultFiles.Table(new Evaluated([result])));
    }

    private ExamResult Result(string name, ExamOptions options, int ranks, Exam? exam = null) =>
        Use(name, ranks, (runner, _, _) => runner.Run(exam ?? Made, options));

    private T Use<T>(string name, int ranks, Func<ExamRunner, Data.Tokenizer, int, T> use)
    {
        using var tokenizer = SmallTokenizer.Open();
        using var answers = new AnswerStore(Path.Combine(_folder, name, "answers.tsv"));
        using var weights = SmallModel.Trained(SmallModel.Shape with { Vocabulary = 500 });
        using var readers = ReaderThreads.Of(weights, ranks);
        return use(new ExamRunner(readers, tokenizer, "made", answers), tokenizer, weights.Context);
    }
}
