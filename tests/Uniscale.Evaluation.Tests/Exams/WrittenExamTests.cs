using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Exams;

/// <summary>
/// Exams whose answers are written, by a model that copies what stood behind the last token before (<see cref="InductionModel"/>).
/// </summary>
public sealed class WrittenExamTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-written-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly ExamRules Rules = new()
    {
        Header = _ => "",
        Question = (question, _, _) => question.Text,
        Delimiter = "",
        Separator = "\n",
        Scoring = Scoring.Written,
        Averaging = Averaging.Questions,
        Shots = 0,
        AnswerTokens = 12,
        Stops = ["."],
        Rule = AnswerRule.Number,
    };

    private static Question Ask(int i, string number, string right) =>
        new($"made/{i}", $"The light is #{number}.\nWhich light? #", [], []) { Solutions = [right] };

    private static readonly Exam Made = new(
        "made",
        [new Subject("made", "made", "", [], [Ask(0, "4817", "4817"), Ask(1, "25", "25"), Ask(2, "903", "904")])]
    );

    [Fact]
    public void WhatIsWrittenIsScoredByTheRule()
    {
        var result = Run("number", Made, Rules, 1);
        Assert.Equal(["4817", "25", "903"], result.Samples.Select(sample => sample.Answer));
        Assert.Equal([1.0, 1, 0], result.Samples.Select(sample => sample.Scores["acc"]));
        Assert.Equal(2 / 3.0, ScoredTask.Of(result)[0].Metrics["acc"].Value, 12);
        using var line = JsonDocument.Parse(ResultFiles.Samples(result).First());
        Assert.Equal(
            ("4817", "4817", "4817"),
            (
                line.RootElement.GetProperty("target").GetString(),
                line.RootElement.GetProperty("chosen").GetString(),
                line.RootElement.GetProperty("resps")[0].GetString()
            )
        );
    }

    /// <summary>Samples have seeds of their own; a stop in between and other ranks change nothing.</summary>
    [Fact]
    public void SamplesAreFoundAgain()
    {
        var rules = Rules with { Samples = 5, Temperature = 3, PassAt = [1, 5] };
        var one = Run("one", Made, rules, 1);
        Assert.Equal(15, File.ReadAllLines(Path.Combine(_folder, "one", "answers.tsv")).Length);
        Assert.Contains(one.Samples, sample => sample.Texts.Distinct().Count() > 1);
        foreach (var sample in one.Samples)
        {
            Assert.Equal(sample.Scores["acc"], sample.Scores["pass@1"], 12);
            Assert.Equal(sample.Scores["acc"] > 0 ? 1 : 0, sample.Scores["pass@5"]);
        }
        Directory.CreateDirectory(Path.Combine(_folder, "killed"));
        File.WriteAllLines(
            Path.Combine(_folder, "killed", "answers.tsv"),
            File.ReadLines(Path.Combine(_folder, "one", "answers.tsv")).Take(6)
        );
        Assert.Equal(
            one.Samples.SelectMany(sample => sample.Texts),
            Run("killed", Made, rules, 2).Samples.SelectMany(sample => sample.Texts)
        );
    }

    [Fact]
    public void PointsWeighQuestions()
    {
        var weighted = new Exam(
            "made",
            [new Subject("made", "made", "", [], [Ask(0, "12", "12") with { Points = 3 }, Ask(1, "34", "35") with { Points = 1 }])]
        );
        var score = ScoredTask.Of(Run("points", weighted, Rules with { Averaging = Averaging.Points }, 1))[0].Metrics["acc"];
        Assert.Equal(0.75, score.Value, 12);
        Assert.Equal(Math.Sqrt(9 * 0.0625 + 0.5625) / 4, score.Error, 12);
    }

    /// <summary>At least half of the context is for the prompt: its beginning is left out, or its shots.</summary>
    [Fact]
    public void LongPromptsLoseTheirBeginning()
    {
        var question = Ask(0, "4817", "4817");
        var exam = new Exam(
            "made",
            [
                new Subject(
                    "made",
                    "made",
                    "",
                    [],
                    [question with { Text = string.Concat(Enumerable.Repeat("water ", 700)) + question.Text }]
                ),
            ]
        );
        var result = Run("long", exam, Rules, 1);
        Assert.Equal((1, 1.0), (result.Truncated, result.Samples[0].Scores["acc"]));
    }

    [Fact]
    public void AnExamOfLettersMayBeWrittenToo()
    {
        var exam = new Exam(
            "mmlu",
            [new Subject("anatomy", "anatomy", "other", [], [new Question("anatomy/0", "Which?", ["water", "light"], [0])])]
        );
        var result = Run("letters", exam, ExamRules.Of("mmlu", ExamVariant.Harness) with { Scoring = Scoring.Written }, 1);
        Assert.Contains(result.Samples[0].Answer, (string[])["", "A", "B"]);
        Assert.Equal(["acc"], result.Samples[0].Scores.Keys);
    }

    [Fact]
    public void FreeQuestionsHaveNoLetters() =>
        Assert.Contains(
            "has no options",
            Assert.Throws<UserErrorException>(() => Run("letter", Made, Rules with { Scoring = Scoring.Letter }, 1)).Message,
            StringComparison.Ordinal
        );

    private ExamResult Run(string name, Exam exam, ExamRules rules, int ranks)
    {
        using var tokenizer = SmallTokenizer.Open();
        using var answers = new AnswerStore(Path.Combine(_folder, name, "answers.tsv"));
        using var model = InductionModel.Load(tokenizer.Size, 600);
        using var readers = ReaderThreads.Of(model, ranks);
        return new ExamRunner(readers, tokenizer, "made", answers).Run(exam, rules, new ExamOptions());
    }
}
