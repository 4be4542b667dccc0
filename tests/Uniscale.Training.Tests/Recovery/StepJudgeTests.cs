using Uniscale.Configuration;
using Uniscale.Training.Recovery;

namespace Uniscale.Training.Tests.Recovery;

public sealed class StepJudgeTests
{
    private static readonly BadStepsSection Policy = new()
    {
        Window = 32,
        LossSpike = BadStepAction.Skip,
        GradientSpike = BadStepAction.Rollback,
    };

    [Fact]
    public void TheScoreIsTheDistanceFromTheMedianInRobustDeviations()
    {
        var window = new RobustWindow(5, _ => 0);
        foreach (double value in (double[])[1, 2, 3, 4, 100])
            window.Add(value);
        // Median 3; deviations 2, 1, 0, 1, 97 with median 1.
        Assert.Equal((10 - 3) / 1.4826, window.ScoreOf(10), 12);
        window.Add(5);
        Assert.Equal([2, 3, 4, 100, 5], window.Values);
    }

    [Fact]
    public void NothingIsASpikeBeforeThereIsAPast()
    {
        var judge = new StepJudge(Policy);
        for (int i = 0; i < 7; i++)
            judge.Remember(0, 3, 1);
        Assert.Equal(StepVerdict.Good, judge.Judge(0, 300, 100).Verdict);
        judge.Remember(0, 3, 1);
        Assert.Equal(StepVerdict.LossSpike, judge.Judge(0, 300, 1).Verdict);
    }

    [Fact]
    public void EachKindHasItsOwnActionAndTheGraverOneWins()
    {
        var judge = Experienced();
        Assert.Equal(new StepJudgement(StepVerdict.LossSpike, BadStepAction.Skip), judge.Judge(0, 9, 1));
        Assert.Equal(new StepJudgement(StepVerdict.GradientSpike, BadStepAction.Rollback), judge.Judge(0, 3, 5000));
        Assert.Equal(new StepJudgement(StepVerdict.GradientSpike, BadStepAction.Rollback), judge.Judge(0, 9, 5000));
        Assert.Equal(new StepJudgement(StepVerdict.NotFinite, BadStepAction.Skip), judge.Judge(0, double.NaN, 5000));
        Assert.Equal(new StepJudgement(StepVerdict.NotFinite, BadStepAction.Skip), judge.Judge(0, 3, double.PositiveInfinity));
    }

    [Fact]
    public void FallingIsNeverASpikeAndNeitherIsNoise()
    {
        var judge = Experienced();
        Assert.Equal(StepVerdict.Good, judge.Judge(0, 0.1, 0.001).Verdict);
        Assert.Equal(StepVerdict.Good, judge.Judge(0, 3.05, 1.2).Verdict);
    }

    [Fact]
    public void AStandstillMakesNoSpikeOfABreath()
    {
        var judge = new StepJudge(Policy);
        for (int i = 0; i < 32; i++)
            judge.Remember(0, 3, 1);
        Assert.Equal(StepVerdict.Good, judge.Judge(0, 3.2, 1.4).Verdict);
    }

    [Fact]
    public void AnotherPhaseForgetsThePast()
    {
        var judge = Experienced();
        Assert.Equal(StepVerdict.Good, judge.Judge(1, 9, 5000).Verdict);
        judge.Remember(1, 9, 5000);
        Assert.Equal(StepVerdict.Good, judge.Judge(1, 90, 50000).Verdict);
    }

    [Fact]
    public void ACheckpointKeepsThePastToTheBit()
    {
        var judge = Experienced();
        var extra = new Dictionary<string, string>(judge.ToExtra());
        var restored = new StepJudge(Policy);
        restored.Restore(extra);
        Assert.Equal(extra, new Dictionary<string, string>(restored.ToExtra()));
        Assert.Equal(StepVerdict.LossSpike, restored.Judge(0, 9, 1).Verdict);
    }

    [Fact]
    public void WithoutAThresholdOnlyNumbersThatAreNotFiniteAreBad()
    {
        var judge = new StepJudge(Policy with { LossThreshold = 0, GradientThreshold = 0 });
        for (int i = 0; i < 32; i++)
            judge.Remember(0, 3, 1);
        Assert.Equal(StepVerdict.Good, judge.Judge(0, 1e9, 1e9).Verdict);
        Assert.Equal(StepVerdict.NotFinite, judge.Judge(0, double.NaN, 1).Verdict);
    }

    private static StepJudge Experienced()
    {
        var judge = new StepJudge(Policy);
        for (int i = 0; i < 40; i++)
            judge.Remember(0, 3 + 0.01 * (i % 5), 1 + 0.1 * (i % 7));
        return judge;
    }
}
