using Uniscale.Mpi.Native;

namespace Uniscale.Mpi.Tests;

public sealed class MpiRuntimeTests
{
    [Fact]
    public void DescribesTheLibraryWithoutStartingIt()
    {
        var description = MpiRuntime.Describe();
        string expected = description.Flavour == MpiFlavour.OpenMpi ? "Open MPI" : "MPICH";
        Assert.StartsWith(expected, description.Version, StringComparison.Ordinal);
        Assert.StartsWith("libmpi", description.Library, StringComparison.Ordinal);
    }

    [Fact]
    public void ALibraryThatIsNotMpiIsNamed()
    {
        string sentence = Assert.Throws<MpiException>(() => MpiLibrary.Load(["libnothing.so.3", "libm.so.6"])).Message;
        Assert.Matches("libnothing.so.3:? cannot (open|be loaded)", sentence);
        Assert.Contains("libm.so.6 is a library, but not of MPI", sentence);
    }
}
