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
}
