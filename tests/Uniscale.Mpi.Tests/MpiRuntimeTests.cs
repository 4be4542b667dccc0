using Uniscale.Mpi.Native;

namespace Uniscale.Mpi.Tests;

public sealed class MpiRuntimeTests
{
    [Fact]
    public void DescribesTheLibraryWithoutStartingIt()
    {
        var description = MpiRuntime.Describe();
        Assert.Equal(
            (MpiFlavour.Mpich, "libmpich.so.12", "MPI.NET 1.4.0"),
            (description.Flavour, description.Library, description.Binding)
        );
        Assert.Matches(@"^MPICH \d+(\.\d+)+, libmpich\.so\.12, through MPI\.NET 1\.4\.0$", description.ToString());
    }

    [Fact]
    public void DescribesWhatRanksOfOpenMpiWillFind() =>
        Assert.Matches(
            @"^Open MPI v\d+(\.\d+)+(rc\d+)?, libmpi\.so\.40, through direct calls$",
            MpiRuntime.DescribeUnder(isOpenMpis: true, named: null).ToString()
        );

    [Fact]
    public void ALibraryThatIsNotMpiIsNamed()
    {
        string sentence = Assert.Throws<MpiException>(() => MpiLibrary.Load(["libnothing.so.3", "libm.so.6"])).Message;
        Assert.Matches("libnothing.so.3:? cannot (open|be loaded)", sentence);
        Assert.Contains("libm.so.6 is a library, but not of MPI", sentence);
    }

    [Theory]
    [InlineData("", "libmpich.so.12 libmpi.so.12 libmpi_abi_mpich.so.1.0.0 libmpi_abi.so.1 libmpi.so.40")]
    [InlineData("PMI_RANK", "libmpich.so.12 libmpi.so.12 libmpi_abi_mpich.so.1.0.0 libmpi_abi.so.1 libmpi.so.40")]
    [InlineData("OMPI_COMM_WORLD_RANK PMIX_RANK", "libmpi.so.40 libmpi.so.80 libmpi_abi_openmpi.so.1.0.0 libmpi_abi.so.1 libmpich.so.12")]
    [InlineData("PMIX_RANK", "libmpi.so.40 libmpi.so.80 libmpi_abi_openmpi.so.1.0.0 libmpi_abi.so.1 libmpich.so.12")]
    [InlineData("OMPI_COMM_WORLD_RANK UNISCALE_MPI_LIBRARY=libmpi_abi.so.1", "libmpi_abi_openmpi.so.1.0.0 libmpi_abi.so.1")]
    [InlineData("PMI_RANK UNISCALE_MPI_LIBRARY=libmpi_abi.so.1", "libmpi_abi_mpich.so.1.0.0 libmpi_abi.so.1")]
    [InlineData("PMI_RANK UNISCALE_MPI_LIBRARY=/opt/mpi/libmpi.so", "/opt/mpi/libmpi.so")]
    public void TheLibraryOfTheLauncherIsTriedFirst(string environment, string names)
    {
        var variables = environment
            .Split(' ')
            .Select(entry => entry.Split('='))
            .ToDictionary(entry => entry[0], entry => entry.ElementAtOrDefault(1) ?? "0");
        var candidates = MpiLibrary.Candidates(
            MpiLibrary.IsOpenMpis(variables.GetValueOrDefault),
            variables.GetValueOrDefault(MpiRuntime.LibraryVariable)
        );
        string[] expected = names.Split(' ');
        Assert.Equal(expected, candidates.Take(expected.Length));
    }
}
