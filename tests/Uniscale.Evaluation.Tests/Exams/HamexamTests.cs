using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Files;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Exams;

/// <summary>
/// The real questions of Debian's package hamexam, where it is installed (or its folder is named in UNISCALE_HAMEXAM), with an untrained
/// model.
/// </summary>
public sealed class HamexamTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-hamexam-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Questions()
    {
        string path = Environment.GetEnvironmentVariable("UNISCALE_HAMEXAM") ?? "/usr/share/hamexam";
        Assert.SkipUnless(Directory.Exists(path), $"{path} is not there: install hamexam.");
        return path;
    }

    [Fact]
    public void TheWholeCatalogueIsRead()
    {
        var exam = ExamFiles.Read("ham", Questions(), null);
        var all = exam.Subjects.SelectMany(subject => subject.Questions.Concat(subject.Shots)).ToList();
        Assert.Equal(1587, all.Count);
        Assert.Equal([408, 397, 407, 375], Enumerable.Range(0, 4).Select(letter => all.Count(question => question.Answers[0] == letter)));
        Assert.All(exam.Subjects, subject => Assert.Equal(5, subject.Shots.Count));
    }

    /// <summary>
    /// Letters: chance, within three standard errors. Whole options: what their lengths give, which stands in the row "shortest".
    /// </summary>
    [Theory]
    [InlineData(Scoring.Letter)]
    [InlineData(Scoring.Option)]
    public void AnUntrainedModelIsAtChanceOrRanksByLength(Scoring scoring)
    {
        var exam = ExamFiles.Read("ham", Questions(), null);
        using var tokenizer = SmallTokenizer.Open();
        using var answers = new AnswerStore(Path.Combine(_folder, "answers.tsv"));
        using var model = SmallModel.Trained(SmallModel.Shape with { Vocabulary = 500, Layers = 1, InitStd = 0.02 });
        using var reader = model.Reader();
        var result = new ExamRunner([reader], tokenizer, "made", answers).Run(exam, new ExamOptions(Variant.Harness, scoring, Shots: 0));
        var metrics = ScoredTask.Of(result)[0].Metrics;
        double expected = scoring == Scoring.Letter ? 0.25 : metrics["shortest"].Value;
        Assert.InRange(metrics["acc"].Value, expected - 3 * metrics["acc"].Error, expected + 3 * metrics["acc"].Error);
        if (scoring == Scoring.Option)
            Assert.InRange(metrics["shortest"].Value, 0.19, 0.25);
    }
}
