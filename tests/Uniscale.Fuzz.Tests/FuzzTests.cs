namespace Uniscale.Fuzz.Tests;

/// <summary>The short form of scripts/fuzz.sh: the same inputs each time, some of each format.</summary>
public sealed class FuzzTests : IDisposable
{
    private const int Executions = 80;

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-fuzz-").FullName;

    public static TheoryData<string> Targets() => [.. FuzzTargets.All.Select(target => target.Name)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Mutations of what is refused anyway would reach nothing.</summary>
    [Theory, MemberData(nameof(Targets))]
    public void Inputs_that_others_are_made_from_are_taken(string name)
    {
        var target = FuzzTargets.All.Single(target => target.Name == name);
        string path = Path.Combine(_folder, target.FileName);
        foreach (byte[] input in target.Corpus(_folder))
        {
            File.WriteAllBytes(path, input);
            target.Read(path);
        }
    }

    [Theory, MemberData(nameof(Targets))]
    public void Damaged_and_hostile_inputs_end_in_order_or_in_a_sentence(string name)
    {
        var result = new FuzzRun(FuzzTargets.All.Single(target => target.Name == name), _folder, seed: 1).Run(
            TimeSpan.FromMinutes(5),
            Executions
        );
        Assert.Empty(result.Findings);
        Assert.Equal(Executions, result.Executions);
    }
}
