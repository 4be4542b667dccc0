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
        var stretched = new RotaryFrequencies(8, 10_000, RopeScalingKind.Linear, 4).Frequencies;
        Assert.Equal(plain.Select(f => f / 4), stretched);
    }

    [Fact]
    public void NtkAwareScalingKeepsTheFastestPairAndStretchesTheSlowest()
    {
        var plain = new RotaryFrequencies(64, 10_000).Frequencies;
        var stretched = new RotaryFrequencies(64, 10_000, RopeScalingKind.NtkAware, 4).Frequencies;
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

    [Fact]
    public void OddHeadsAreRefused() => Assert.Throws<UserErrorException>(() => new RotaryFrequencies(7, 10_000));
}
