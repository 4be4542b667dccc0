using Uniscale.Collectives.Nccl;
using Uniscale.Collectives.Nccl.Native;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

[Collection(NcclTests.Name)]
public sealed class NcclLibraryTests : IDisposable
{
    private const string Variable = "UNISCALE_TEST_LIBRARY";

    public void Dispose() => Environment.SetEnvironmentVariable(Variable, null);

    [Fact]
    public void AVersionWithoutSplitsIsRefusedByName()
    {
        Environment.SetEnvironmentVariable(Variable, EmulatorLibraries.PathOf(EmulatorLibraries.TooOld));
        string message = Assert.Throws<NcclException>(() => NcclLibrary.LoadFrom(Variable)).Message;
        Assert.Contains(
            "libnccl_emulator_21701.so is NCCL 2.17.1, but Uniscale needs 2.18.0 or newer, which can split communicators",
            message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AVersionWithoutAnAllToAllIsTaken()
    {
        Environment.SetEnvironmentVariable(Variable, EmulatorLibraries.PathOf(EmulatorLibraries.Oldest));
        var library = NcclLibrary.LoadFrom(Variable);
        Assert.Equal(21805, library.Version);
        unsafe
        {
            Assert.True(library.AllToAll == null);
            Assert.False(NcclLibrary.Instance.AllToAll == null);
        }
    }

    [Fact]
    public void AMissingLibraryIsNamedWithWhatToDo()
    {
        Environment.SetEnvironmentVariable(Variable, "libno-such-nccl.so");
        string message = Assert.Throws<NcclException>(() => NcclLibrary.LoadFrom(Variable)).Message;
        Assert.Contains("NCCL cannot be loaded (libno-such-nccl.so): install it", message, StringComparison.Ordinal);
        Assert.Contains(Variable, message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherLibraryIsNotTakenForIt()
    {
        Environment.SetEnvironmentVariable(Variable, "libc.so.6");
        Assert.Contains(
            "libc.so.6 has no function ncclGetVersion",
            Assert.Throws<NcclException>(() => NcclLibrary.LoadFrom(Variable)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(21800, "2.18.0")]
    [InlineData(22807, "2.28.7")]
    [InlineData(2708, "2.7.8")]
    public void VersionsReadAsNcclWritesThem(int code, string text) => Assert.Equal(text, NcclLibrary.Text(code));
}
