using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class MpirunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-path-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("mpirun (Open MPI) 5.0.7\n\nReport bugs to https://www.open-mpi.org/community/help/\n", true, "Open MPI 5.0.7")]
    [InlineData("mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n", true, "Open MPI 4.1.4")]
    [InlineData("mpirun.openmpi (Open MPI) 6.0.0rc2\n", true, "Open MPI 6.0.0rc2")]
    [InlineData(
        "HYDRA build details:\n    Version:                                 4.0.2\n    Release Date:  Thu Apr  7\n",
        false,
        "MPICH's Hydra 4.0.2"
    )]
    [InlineData("Intel(R) MPI Library for Linux* OS, Version 2021.11 Build 20231005\n", false, "Intel MPI 2021.11")]
    public void EveryMpirunIsRecognised(string text, bool isOpenMpi, string version) =>
        Assert.Equal(new Mpirun("mpirun", isOpenMpi, version), Mpirun.Parse("mpirun", text));

    [Fact]
    public void SlurmsSrunIsRecognised() =>
        Assert.Equal(new Mpirun("srun", false, "Slurm 22.05.8") { IsSrun = true }, Mpirun.Parse("srun", "slurm-wlm 22.05.8\n"));

    [Fact]
    public void MpichComesFirstWithinAFolderAndTheUsersFoldersBeforeIt()
    {
        string module = Path.Combine(_folder, "module"),
            system = Path.Combine(_folder, "system");
        Directory.CreateDirectory(module);
        Directory.CreateDirectory(system);
        foreach (string name in (string[])["mpirun", "mpirun.mpich", "mpirun.openmpi"])
            File.WriteAllText(Path.Combine(system, name), "");
        Assert.Equal("mpirun.mpich", Mpirun.Default([module, system]));
        File.WriteAllText(Path.Combine(module, "mpirun"), "");
        Assert.Equal("mpirun", Mpirun.Default([module, system]));
    }
}
