namespace Uniscale.Configuration.Tests;

public sealed class FaultRulesTests
{
    [Theory]
    [InlineData(
        "faults: { inject: [{ kind: kill, step: 3 }] }",
        "config.yaml:1:19: faults.inject breaks the run on purpose: set faults.enabled to true"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: nan-gradient, moment: save }] }",
        "faults.inject[0].moment is for faults that can happen at any"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: kill, moment: save, point: renamed }] }",
        "faults.inject[0].point is renamed, which only rank 0 passes: set faults.inject[0].rank to 0"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: meteorite }] }",
        "faults.inject[0].kind is 'meteorite', but must be one of kill, terminate, hang"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: kill, moment: round }] }",
        "faults.inject[0].point is first-block-written, which is no point of a round: take one of comparisons-packed"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: hang, moment: round, point: pairs-written }] }",
        "faults.inject[0].kind cannot happen at moment round"
    )]
    [InlineData(
        "faults: { enabled: true, inject: [{ kind: kill, point: pairs-written }] }",
        "faults.inject[0].point is pairs-written, which rounds alone pass: set faults.inject[0].moment to round"
    )]
    [InlineData("{ preflight: { when: never }, faults: { enabled: true, inject: [{ kind: slow-gemm }] } }", "set preflight.when to always")]
    public void What_cannot_be_meant_is_refused(string yaml, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(yaml, ["train.steps=10"])).Message);

    [Fact]
    public void An_override_can_name_faults()
    {
        var faults = ConfigurationLoader
            .Parse(
                "name: run",
                ["train.steps=10", "faults.enabled=true", "faults.inject=[{\"kind\":\"slow-rank\",\"step\":4,\"seconds\":0.5}]"]
            )
            .Value.Faults;
        var fault = Assert.Single(faults.Inject);
        Assert.Equal((FaultKind.SlowRank, 4, -1, 0.5), (fault.Kind, fault.Step, fault.Rank, fault.Seconds));
    }
}
