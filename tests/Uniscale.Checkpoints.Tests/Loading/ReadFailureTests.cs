using Uniscale.Checkpoints.Loading;

namespace Uniscale.Checkpoints.Tests.Loading;

/// <summary>A checkpoint is given up for an older one where it is damaged, not where this process cannot read it.</summary>
public sealed class ReadFailureTests
{
    [Theory]
    [InlineData(24, "step/rank-00001 cannot be opened: too many files are open; raise the limit (ulimit -n)")]
    [InlineData(23, "step/rank-00001 cannot be opened: too many files are open; raise the limit (ulimit -n)")]
    [InlineData(12, "step/rank-00001 cannot be opened: there is no memory left for it")]
    public void WhatAProcessMayNotDoIsNoDamage(int number, string sentence)
    {
        var failure = ReadFailure.Of("step/rank-00001 cannot be opened", new IOException("refused", number));
        Assert.IsNotType<CheckpointDamagedException>(failure);
        Assert.Equal(sentence, failure.Message);
    }

    [Fact]
    public void ARightThatIsMissingIsNoDamage() =>
        Assert.IsNotType<CheckpointDamagedException>(ReadFailure.Of("x cannot be opened", new UnauthorizedAccessException("denied")));

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void AFileThatIsGoneOrADiskThatFailsIsDamage(int number) =>
        Assert.IsType<CheckpointDamagedException>(ReadFailure.Of("x cannot be read", new IOException("failed", number)));
}
