using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class HostFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-hosts-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true, "n0 slots=8 max_slots=8", "n1 slots=4", "n2")]
    [InlineData(false, "n0:8", "n1:4", "n2")]
    public void EitherWayOfWritingIsGivenToAnMpirunInItsOwn(bool isOpenMpi, params string[] lines)
    {
        string file = Path.Combine(_folder, "hosts"), own = Path.Combine(_folder, "own");
        File.WriteAllLines(file, ["# rack 1", "n0 slots=8 max_slots=8", "n1:4", "n2 # whatever it has"]);
        HostFile.Read(file).WriteFor(isOpenMpi, own);
        Assert.Equal(lines, File.ReadAllLines(own));
    }
}
