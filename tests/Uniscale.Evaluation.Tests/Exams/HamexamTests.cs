using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Data;
using Uniscale.Engine.Tests.Support;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Files;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Tests.Support;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Evaluation.Tests.Exams;

/// <summary>
/// The real questions of Debian's package hamexam, where it is installed (or its folder is named in UNISCALE_HAMEXAM), with an untrained
/// model.
/// </summary>
public sealed class HamexamTests : IDisposable
{
    private const int Steps = 1200;

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
        // A question's file begins with its number and answer; each version of the package has its own.
        var firsts = Directory
            .EnumerateFiles(Questions(), "*", SearchOption.AllDirectories)
            .Select(file => Regex.Match(File.ReadLines(file).FirstOrDefault() ?? "", @"^[TGE]\d[A-Z]\d\d +\(([A-D])\)"))
            .Where(first => first.Success)
            .ToList();
        Assert.InRange(all.Count, 1400, 1800);
        Assert.Equal(firsts.Count, all.Count);
        Assert.Equal(
            "ABCD".Select(letter => firsts.Count(first => first.Groups[1].Value[0] == letter)),
            Enumerable.Range(0, 4).Select(letter => all.Count(question => question.Answers[0] == letter))
        );
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
        using var readers = ReaderThreads.Of(model, 1);
        var result = new ExamRunner(readers, tokenizer, "made", answers).Run(exam, new ExamOptions(ExamVariant.Harness, scoring, Shots: 0));
        var metrics = ScoredTask.Of(result)[0].Metrics;
        double expected = scoring == Scoring.Letter ? 0.25 : metrics["shortest"].Value;
        Assert.InRange(metrics["acc"].Value, expected - 3 * metrics["acc"].Error, expected + 3 * metrics["acc"].Error);
        if (scoring == Scoring.Option)
            Assert.InRange(metrics["shortest"].Value, 0.19, 0.25);
    }

    /// <summary>
    /// A model of which the exam is a part of the corpus, each question with its right answer and never with the wrong ones, passes it:
    /// options are ranked by what was read. Two minutes, for a night.
    /// </summary>
    [Fact]
    public void AModelTrainedOnTheTextPasses()
    {
        Nightly.Only();
        const int context = 256;
        var exam = ExamFiles.Read("ham", Questions(), null);
        var rules = ExamRules.Of("ham", ExamVariant.Harness);
        var texts = exam
            .Subjects.SelectMany(subject =>
                subject.Questions.Select(question =>
                    rules.Header(subject)
                    + rules.Question(question, subject, false)
                    + rules.Delimiter
                    + question.Options[question.Answers[0]]
                )
            )
            .ToList();
        string path = Path.Combine(_folder, "ham.model");
        TokenizerTrainer.Train(
            texts.Select(text => new DocumentPart(Encoding.UTF8.GetBytes(text), true, true)),
            path,
            new TokenizerTraining { VocabularySize = 1024, Threads = 1 }
        );
        using var tokenizer = Tokenizer.Load(path);
        using (var writer = new ShardWriter(Path.Combine(_folder, "ham"), tokenizer.Size))
        {
            foreach (string text in texts)
                writer.Add([.. tokenizer.Encode(text), tokenizer.EndId]);
            writer.Complete();
        }
        var configuration = ConfigurationLoader
            .Parse(
                $$"""
                model: { layers: 2, hidden: 192, heads: 4, ffn: 512, context: {{context}}, vocabulary: {{tokenizer.Size}}, tied_embeddings: true, document_mask: true }
                data: { sources: [{ name: ham, shards: ["{{_folder}}/ham"] }] }
                batch: { global: 8, micro: 8 }
                optimizer: { lr: 5e-3, weight_decay: 0 }
                train: { steps: {{Steps}}, threads: 2 }
                """
            )
            .Value;
        double trained = Ranks.Run(
            1,
            world =>
            {
                using var data = TrainingData.Open(configuration);
                using var runtime = RankRuntime.Create(configuration, world, data.Source, data.Tokens, data.Vocabulary);
                while (!runtime.IsFinished)
                    runtime.Step();
                runtime.Settle();
                using var answers = AnswerStore.InMemory();
                using var readers = new ReaderThreads([InferenceModel.Of(runtime.Model, runtime.Specification, configuration.Model)]);
                var options = new ExamOptions(ExamVariant.Harness, Scoring.Option, Shots: 0);
                return ScoredTask.Of(new ExamRunner(readers, tokenizer, "trained", answers).Run(exam, options))[0].Metrics["acc"].Value;
            }
        )[0];
        Assert.InRange(trained, 0.9, 1);
    }
}
