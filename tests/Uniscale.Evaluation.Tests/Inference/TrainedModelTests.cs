using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Evaluation.Tests.Inference;

public sealed class TrainedModelTests : IDisposable
{
    private const int Vocabulary = 31;
    private static readonly ModelSection Shape = new()
    {
        Layers = 2,
        Hidden = 16,
        Heads = 2,
        Ffn = 32,
        Context = 8,
        InitStd = 0.5,
    };

    private readonly string _directory = Directory.CreateTempSubdirectory("uniscale-trained-model-").FullName;

    [Fact]
    public void EveryWayToAskGivesTheLogitsOfTheWholeSequence()
    {
        using var scope = NewDisposeScope();
        Save();
        using var model = TrainedModel.Load(Shape, Vocabulary, CheckpointReader.Open(CheckpointCatalog.Find(_directory)));
        using var reader = model.Reader();
        using var sequence = reader.NewSequence();
        int[] text = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
        for (int count = 1; count <= text.Length; count++)
            Check(text[..count]);
        Check([3, 1, 7, 2]); // another continuation of the same beginning
        Check([3, 1, 7, 2]); // the same again
        Check([8]);

        void Check(int[] tokens)
        {
            int[] window = tokens[Math.Max(0, tokens.Length - Shape.Context)..];
            float[] expected = TensorMemory.Elements<float>(model.Logits(window)[0][window.Length - 1].contiguous()).ToArray();
            sequence.Truncate(0);
            float[] actual = [];
            reader.Read([new(sequence, window)], (_, _, logits) => actual = logits.ToArray());
            for (int i = 0; i < Vocabulary; i++)
                Assert.Equal(expected[i], actual[i], 1e-4f);
        }
    }

    /// <summary>A token alone, a text whole and a text in pieces are the same bits in bf16 too, and lie near those of fp32.</summary>
    [Fact]
    public void InBf16ATokenDoesNotDependOnWhatIsReadBesideIt()
    {
        Save();
        var checkpoint = CheckpointReader.Open(CheckpointCatalog.Find(_directory));
        using var model = TrainedModel.Load(Shape, Vocabulary, checkpoint, ScalarType.BFloat16);
        using var exact = TrainedModel.Load(Shape, Vocabulary, checkpoint);
        int[] text = [3, 1, 4, 1, 5, 9, 2, 6];
        float[][] whole = Rows(model, [text]),
            pieces = Rows(model, [[3], [1, 4, 1], [5, 9], [2, 6]]),
            expected = Rows(exact, [text]);
        Assert.Equal(whole, pieces);
        var pairs = whole.SelectMany(row => row).Zip(expected.SelectMany(row => row)).ToList();
        double error = pairs.Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / pairs.Sum(pair => Math.Pow(pair.Second, 2));
        Assert.InRange(Math.Sqrt(error), 1e-6, 0.05);

        static float[][] Rows(TrainedModel model, int[][] parts)
        {
            using var reader = model.Reader();
            using var sequence = reader.NewSequence();
            var rows = new List<float[]>();
            foreach (int[] part in parts)
                reader.Read([new(sequence, part, part.Length)], (_, _, logits) => rows.Add(logits.ToArray()));
            return [.. rows];
        }
    }

    /// <summary>
    /// Some of one token, some of several, behind contexts of many lengths, against plain torch operations on each text alone.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(10)] // queries grow with their position
    public void TwoHundredLogLikelihoodsAreThoseOfPlainTorch(int logNContext)
    {
        using var scope = NewDisposeScope();
        // Weights of the size that training has: 1e-5 is then far more than the rounding of fp32.
        var shape = Shape with
        {
            Context = 128,
            KvHeads = 1,
            InitStd = 0.1,
            LogNContext = logNContext,
        };
        Save(shape);
        using var model = TrainedModel.Load(shape, Vocabulary, CheckpointReader.Open(CheckpointCatalog.Find(_directory)));
        using var reader = model.Reader();
        var random = new Random(4);
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(Vocabulary))];
        int[] common = Tokens(40);
        var requests = Enumerable
            .Range(0, 200)
            .Select(i => new LogLikelihoodRequest([.. common[..(i % 3 * 20)], .. Tokens(1 + i % 60)], Tokens(1 + i % 4)))
            .ToList();
        var answers = new Dictionary<LogLikelihoodRequest, double>();
        new LogLikelihoodReader(reader).Answer(LogLikelihoodReader.Grouped(requests), answers.Add);
        foreach (var request in requests)
        {
            using var own = NewDisposeScope();
            int[] text = [.. request.Context, .. request.Continuation];
            var probabilities = model.Logits(text.AsSpan(0, text.Length - 1)).to(float64).log_softmax(-1)[0];
            double expected = request
                .Continuation.Select((token, i) => probabilities[request.Context.Length - 1 + i][token].item<double>())
                .Sum();
            Assert.Equal(expected, answers[request], 1e-5);
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private void Save(ModelSection? shape = null) => SmallModel.Save((shape ?? Shape) with { Vocabulary = Vocabulary }, _directory);
}
