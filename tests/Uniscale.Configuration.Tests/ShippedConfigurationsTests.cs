namespace Uniscale.Configuration.Tests;

public sealed class ShippedConfigurationsTests
{
    public static TheoryData<string> Configurations() => RepositoryFiles.Configurations();

    /// <summary>That their layouts pass the gate is tested in Uniscale.Programs.</summary>
    [Theory]
    [MemberData(nameof(Configurations))]
    public void Each_loads_and_keeps_its_rules(string name) =>
        Assert.True(ConfigurationLoader.Load(RepositoryFiles.Configuration(name)).Value.Parallel.ReplicaRanks > 0);
}
