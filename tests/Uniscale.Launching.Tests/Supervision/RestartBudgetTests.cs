using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class RestartBudgetTests
{
    private static Fault Fault(string kind, long step) => new(kind, step, 1, "n1", "words");

    [Fact]
    public void FaultsThatMoveAboutUseTheWholeBudget()
    {
        var budget = new RestartBudget(4, maxSameFault: 2);
        for (int step = 0; step < 4; step++)
            Assert.Null(budget.Spend(Fault("signal 9", step)));
        Assert.Contains("all 4 restarts are spent", budget.Spend(Fault("signal 9", 9)), StringComparison.Ordinal);
    }

    [Fact]
    public void TheSameFaultAtTheSameStepEndsTheJobEarly()
    {
        var budget = new RestartBudget(20, maxSameFault: 3);
        Assert.Null(budget.Spend(Fault("signal 11", 8)));
        Assert.Null(budget.Spend(Fault("signal 9", 8)));
        Assert.Null(budget.Spend(Fault("signal 11", 8)));
        Assert.Contains(
            "the same fault (signal 11) has come back 3 times at step 8",
            budget.Spend(Fault("signal 11", 8)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void NoRestartsByDefault() =>
        Assert.Contains("--max-restarts 0", new RestartBudget(0).Spend(Fault("hang", 1)), StringComparison.Ordinal);
}
