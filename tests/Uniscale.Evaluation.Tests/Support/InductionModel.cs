using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Evaluation.Inference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Evaluation.Tests.Support;

/// <summary>
/// Two layers whose weights are set by hand to what Olsson et al. (2022) call an induction head: the first tells every token which one
/// stands before it, the
/// second looks for the place whose token before is the present one, and copies what stands there. Tokens are written as codes of ±1/8 in
/// 64 dimensions. The
/// first layer looks back by the fast rotary pairs; the second compares codes in the slow ones, which hardly turn within the context.
/// </summary>
internal static class InductionModel
{
    /// <summary>Width of the only head.</summary>
    public const int HeadDim = 128;

    /// <summary>Base of its angles.</summary>
    public const double Base = 1e8;

    /// <summary>Pairs whose angles are slow.</summary>
    private const int SlowPairs = 32,
        CodeWidth = 2 * SlowPairs;

    /// <summary>Strength of the first layer's attention by place, and of the second's by content.</summary>
    private const double PlaceStrength = 40,
        ContentStrength = 60;

    private static readonly bool[] Signs = MakeSigns();

    public static ModelSection Shape(int vocabulary, int context) =>
        new()
        {
            Layers = 2,
            Hidden = vocabulary + 2 * CodeWidth,
            Heads = 1,
            HeadDim = HeadDim,
            Ffn = 8,
            Context = context,
            Vocabulary = vocabulary,
            RopeBase = Base,
            NormEpsilon = 1e-9,
        };

    /// <summary>Angle per position of a pair as the first layer expects it.</summary>
    public static double Frequency(int pair) => Math.Pow(Base, -2.0 * pair / HeadDim);

    public static TrainedModel Load(int vocabulary, int context)
    {
        var shape = Shape(vocabulary, context);
        string folder = Directory.CreateTempSubdirectory("uniscale-induction-").FullName;
        try
        {
            using (var scope = NewDisposeScope())
            {
                var slices = Transformer
                    .Blocks(shape, vocabulary)
                    .SelectMany(block => block.Parameters)
                    .Select(spec =>
                    {
                        var values = zeros(spec.Shape, float32);
                        foreach (var (row, column, value) in Entries(spec.Name, vocabulary, shape.Hidden))
                            TensorMemory.Elements<float>(values)[(int)(row * spec.Shape[^1]) + column] = (float)value;
                        return new StateSlice(
                            spec.Name,
                            ElementType.Float32,
                            spec.Shape,
                            new long[spec.Shape.Length],
                            spec.Shape,
                            TensorMemory.DataPointer(values)
                        );
                    })
                    .ToList();
                using var world = InProcessWorld.Create(1)[0];
                using var store = new CheckpointStore(folder, world);
                Assert.Equal(
                    SaveStatus.Durable,
                    store
                        .Save(
                            new CheckpointState
                            {
                                Step = 1,
                                ConsumedTokens = 8,
                                Slices = slices,
                            }
                        )
                        .Status
                );
            }
            return TrainedModel.Load(shape, vocabulary, CheckpointReader.Open(CheckpointCatalog.Find(folder)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What of a matrix is not zero; a vector is a row.</summary>
    private static IEnumerable<(int Row, int Column, double Value)> Entries(string name, int vocabulary, int hidden)
    {
        // A norm divides by the root of the mean square: of a token alone, and of a token with the code of the one before it.
        double first = 1 / Math.Sqrt(hidden),
            second = 1 / Math.Sqrt(hidden / 2.0);
        double place = Math.Sqrt(PlaceStrength * Math.Sqrt(HeadDim)),
            content = Math.Sqrt(ContentStrength * Math.Sqrt(HeadDim));
        if (name.EndsWith("norm.weight", StringComparison.Ordinal))
            for (int i = 0; i < hidden; i++)
                yield return (0, i, 1);
        for (int token = 0; token < vocabulary; token++)
            switch (name)
            {
                case "embedding.tokens.weight":
                    yield return (token, token, 1);
                    break;
                case "layers.0.attention.wq.weight":
                    for (int pair = 0; pair < HeadDim / 2; pair++)
                        yield return (pair, token, place * first);
                    break;
                case "layers.0.attention.wk.weight":
                    for (int pair = 0; pair < HeadDim / 2; pair++)
                    {
                        // Turned on by one position: the product with a query is largest where the key stands one place before it.
                        yield return (pair, token, place * first * Math.Cos(Frequency(pair)));
                        yield return (pair + HeadDim / 2, token, place * first * Math.Sin(Frequency(pair)));
                    }
                    break;
                case "layers.0.attention.wv.weight":
                    for (int i = 0; i < CodeWidth; i++)
                        yield return (i, token, Code(token, i) * first);
                    break;
                case "layers.1.attention.wv.weight":
                    for (int i = 0; i < CodeWidth; i++)
                        yield return (i, token, Code(token, i) * second);
                    break;
                case "layers.1.attention.wq.weight":
                    for (int i = 0; i < CodeWidth; i++)
                        yield return (SlowDimension(i), token, content * Code(token, i) * second);
                    break;
                case "head.output.weight":
                    for (int i = 0; i < CodeWidth; i++)
                        yield return (token, vocabulary + CodeWidth + i, Code(token, i));
                    break;
            }
        for (int i = 0; i < CodeWidth; i++)
        {
            if (name == "layers.1.attention.wk.weight")
                yield return (SlowDimension(i), vocabulary + i, content * second);
            if (name == "layers.0.attention.wo.weight")
                yield return (vocabulary + i, i, 1);
            if (name == "layers.1.attention.wo.weight")
                yield return (vocabulary + CodeWidth + i, i, 1);
        }
    }

    /// <summary>Where the slow pairs keep a number of a code: pair p turns the dimensions p and p + HeadDim/2.</summary>
    private static int SlowDimension(int i) => i < SlowPairs ? SlowPairs + i : HeadDim / 2 + i;

    private static bool[] MakeSigns()
    {
        const int Tokens = 2000;
        var random = new Random(11);
        return [.. Enumerable.Range(0, Tokens * CodeWidth).Select(_ => random.Next(2) == 0)];
    }

    /// <summary>Number i of a token's code.</summary>
    private static double Code(int token, int i) => Signs[token * CodeWidth + i] ? 0.125 : -0.125;
}
