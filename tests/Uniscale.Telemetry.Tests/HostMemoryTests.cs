namespace Uniscale.Telemetry.Tests;

public sealed class HostMemoryTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_process_has_a_peak_and_a_limit()
    {
        Assert.InRange(HostMemory.PeakResidentBytes(), 10 << 20, HostMemory.Limit().Bytes);
        byte[] touched = new byte[64 << 20];
        Array.Fill(touched, (byte)1);
        Assert.True(HostMemory.PeakResidentBytes() > touched.Length);
    }

    /// <summary>The limit of a group may be that of one above it.</summary>
    [Theory]
    [InlineData("0::/slice/job", "slice/job/memory.max=max slice/memory.max=2147483648", 2147483648L)]
    [InlineData("0::/slice/job", "slice/job/memory.max=1073741824 slice/memory.max=2147483648", 1073741824L)]
    [InlineData("4:memory:/job", "memory/job/memory.limit_in_bytes=1048576 memory/memory.limit_in_bytes=9223372036854771712", 1048576L)]
    [InlineData("4:cpu,cpuacct:/job", "memory/job/memory.limit_in_bytes=1048576", null)]
    [InlineData("0::/elsewhere/job", "memory.max=4096", 4096L)]
    public void The_tightest_limit_counts(string membership, string files, long? limit)
    {
        foreach (string file in files.Split(' '))
        {
            string path = Path.Combine(_root, file.Split('=')[0]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, file.Split('=')[1] + "\n");
        }
        string member = Path.Combine(_root, "cgroup");
        File.WriteAllText(member, membership + "\n");
        Assert.Equal(limit, HostMemory.LimitOf(member, _root));
    }
}
