using Uniscale.Configuration;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Model;

public sealed class RotaryFrequenciesTests
{
    [Fact]
    public void LinearScalingSlowsEveryPair()
    {
        var plain = new RotaryFrequencies(8, 10_000).Frequencies;
        var stretched = new RotaryFrequencies(8, 10_000, new RotaryStretch(RopeScalingKind.Linear, 4, 1)).Frequencies;
        Assert.Equal(plain.Select(f => f / 4), stretched);
    }

    [Fact]
    public void NtkAwareScalingKeepsTheFastestPairAndStretchesTheSlowest()
    {
        var plain = new RotaryFrequencies(64, 10_000).Frequencies;
        var stretched = new RotaryFrequencies(64, 10_000, new RotaryStretch(RopeScalingKind.NtkAware, 4, 1)).Frequencies;
        Assert.Equal(1, stretched[0]);
        Assert.Equal(plain[^1] / 4, stretched[^1], 1e-12);
    }

    [Fact]
    public void FarPositionsKeepTheirAngles()
    {
        // In fp32 the angle of position 200,000 would be wrong in its second digit after the point.
        using var scope = NewDisposeScope();
        var (cosine, sine) = new RotaryFrequencies(2, 10_000).Angles(tensor([200_003L]).unsqueeze(0));
        Assert.Equal(Math.Cos(200_003), cosine.item<float>(), 1e-6);
        Assert.Equal(Math.Sin(200_003), sine.item<float>(), 1e-6);
    }

    /// <summary>Position p is the (p + 1)-th: at the trained context the factor is still 1.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(4095, 1)]
    [InlineData(16_383, 14.0 / 12)]
    [InlineData(262_143, 18.0 / 12)]
    public void QueriesGrowWithTheLogarithmOfTheirPosition(long position, double scale)
    {
        using var scope = NewDisposeScope();
        var positions = tensor([position]).unsqueeze(0);
        Assert.Equal(scale, new RotaryFrequencies(4, 10_000, logNContext: 4096).WithBase(500)!.QueryScale(positions)!.item<float>(), 1e-6);
        Assert.Null(new RotaryFrequencies(4, 10_000).QueryScale(positions));
    }

    [Fact]
    public void OddHeadsAreRefused() => Assert.Throws<UserErrorException>(() => new RotaryFrequencies(7, 10_000));

    /// <summary>
    /// Values printed by the formula as YaRN's authors and transformers compute it, for a head of 128, base 10,000, 4,096 tokens stretched
    /// 16 times: pairs up to 20 are kept, from 46 on divided.
    /// </summary>
    [Fact]
    public void YarnKeepsFastPairsAndDividesSlowOnes()
    {
        var rotary = new RotaryFrequencies(128, 10_000, new RotaryStretch(RopeScalingKind.Yarn, 16, 4096));
        Near(
            [
                (0, 1),
                (20, 0.05623413251903491),
                (21, 0.046940859997959404),
                (30, 0.00852684377296741),
                (45, 0.0001517716047318249),
                (46, 8.334508951020775e-05),
                (63, 7.217387404309114e-06),
            ],
            rotary
        );
        Assert.Equal(1.2772588722239782, rotary.Magnitude, 14);
        var (cosine, _) = rotary.Angles(tensor([0L]).unsqueeze(0));
        Assert.Equal((float)1.2772588722239782, cosine.max().item<float>());
        Assert.Equal(
            2,
            new RotaryFrequencies(128, 10_000, new RotaryStretch(RopeScalingKind.Yarn, 16, 4096) { AttentionFactor = 2 }).Magnitude
        );
    }

    /// <summary>Values of Llama 3.1's formula with the published base 500,000, context 8,192, factor 8, low 1, high 4.</summary>
    [Fact]
    public void Llama3BlendsByWavelength() =>
        Near(
            [
                (0, 1),
                (28, 0.003211445994752591),
                (29, 0.002166570763503359),
                (30, 0.0013718935677611381),
                (34, 0.0001785078127679964),
                (35, 9.556212353964683e-05),
                (63, 3.068925988914511e-07),
            ],
            new RotaryFrequencies(128, 500_000, new RotaryStretch(RopeScalingKind.Llama3, 8, 8192))
        );

    /// <summary>
    /// InternLM2's recipe: base 1,000,000, trained to 32,768, factor 2; at 200,000 tokens the base is about 1.16e7. Up to the trained
    /// context nothing changes.
    /// </summary>
    [Fact]
    public void DynamicNtkTakesTheBaseOfTheWholeText()
    {
        var model = new ModelSection
        {
            Hidden = 512,
            Heads = 4,
            Context = 32_768,
            RopeBase = 1e6,
            RopeScaling = RopeScalingKind.Dynamic,
            RopeFactor = 2,
        };
        var longer = RotaryStretch.At(model, 200_000);
        Assert.Equal((RopeScalingKind.None, 200_000), (longer.RopeScaling, longer.Context));
        Assert.Equal(11645259.310406694, longer.RopeBase, 1e-2);
        Assert.Equal(1e6, RotaryStretch.At(model, 32_768).RopeBase);
        Assert.Equal(1e6, RotaryStretch.At(model, 100).RopeBase);
        Assert.Equal(new RotaryFrequencies(128, 1e6).Frequencies, new RotaryFrequencies(128, 1e6, RotaryStretch.Of(model)).Frequencies);
    }

    private static void Near((int Pair, double Angle)[] expected, RotaryFrequencies rotary)
    {
        foreach (var (pair, angle) in expected)
            Assert.Equal(angle, rotary.Frequencies[pair], angle * 1e-13);
    }
}
