using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class HostFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    private HostFile Read(string text)
    {
        File.WriteAllText(_path, text);
        return HostFile.Read(_path);
    }

    [Fact]
    public void BothWaysToWriteSlotsAreRead() =>
        Assert.Equal(
            [("n1", (int?)8), ("n2", 4), ("n3", null)],
            Read("# all\nn1 slots=8 max_slots=9\nn2:4\n\nn3 # spare\n").Lines.Select(line => (line.Host, line.Slots))
        );

    [Theory]
    [InlineData("n1\nn2 slots=99999999999", ":2: slots of n2 must be a number from 1 to 1048576.")]
    [InlineData("n1 slots=0", ":1: slots of n1 must be a number from 1 to 1048576.")]
    [InlineData("n1 slots=two", ":1: slots of n1 must be a number from 1 to 1048576.")]
    [InlineData("n0\nn1:", ":2: slots of n1 must be a number from 1 to 1048576.")]
    [InlineData("# none yet\n\n", " names no host: write one a line, such as node1 slots=8.")]
    [InlineData("n1\n=8", ":2: '=8' is no line of a host file: write the name of a host and, if you like, slots=8.")]
    [InlineData("\u0001\u0002", "is no line of a host file: write the name of a host and, if you like, slots=8.")]
    public void AnotherFileIsRefusedWithItsLine(string text, string expected) =>
        Assert.EndsWith(expected, Assert.Throws<UserErrorException>(() => Read(text)).Message);

    [Fact]
    public void ALineWithoutAnEndIsRefused() =>
        Assert.Contains(
            "cannot be read (a line has more than 4096 characters).",
            Assert.Throws<UserErrorException>(() => Read(new string('x', 100_000))).Message
        );

    [Fact]
    public void AMissingFileIsRefused() =>
        Assert.Contains("cannot be read", Assert.Throws<UserErrorException>(() => HostFile.Read("/nowhere/hosts")).Message);

    [Theory]
    [InlineData(true, "n0 slots=8 max_slots=8", "n1 slots=4", "n2")]
    [InlineData(false, "n0:8", "n1:4", "n2")]
    public void EitherWayOfWritingIsGivenToAnMpirunInItsOwn(bool isOpenMpi, params string[] lines)
    {
        var hosts = Read("# rack 1\nn0 slots=8 max_slots=8\nn1:4\nn2 # whatever it has\n");
        hosts.WriteFor(isOpenMpi, _path);
        Assert.Equal(lines, File.ReadAllLines(_path));
    }
}
