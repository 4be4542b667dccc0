using Uniscale.Cli.Commands;
using Uniscale.Cli.Doctor;

namespace Uniscale.Cli.Tests.Doctor;

public sealed class ExaminationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-doctor-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_missing_library_is_named_with_what_to_install()
    {
        var findings = Examination.Run(new Libraries("", []));
        Assert.Equal(("apt-get install libstdc++6", false, true), Of(findings, "libstdc++"));
        Assert.Equal(("apt-get install libssl3", false, true), Of(findings, "OpenSSL"));
        Assert.Equal(("apt-get install libdnnl-dev", false, false), Of(findings, "oneDNN"));
        Assert.Equal(("apt-get install libsentencepiece-dev", false, true), Of(findings, "SentencePiece"));

        var text = new StringWriter();
        DoctorCommand.Print(findings, text);
        Assert.Contains(
            "MISSING  libstdc++      C++ at run time\n                        -> apt-get install libstdc++6\n",
            text.ToString()
        );
        Assert.EndsWith("3 required things are missing.\n", text.ToString());
    }

    /// <summary>A published folder has no links without a version, as packages for developers do.</summary>
    [Fact]
    public void A_library_in_a_folder_is_found_by_its_name_with_a_version()
    {
        foreach (string file in (string[])["libdnnl.so.2", "libdnnl.so.3.4", "libdnnl.so.3.4-gdb.py", "libdnnl.social"])
            File.WriteAllText(Path.Combine(_folder, file), "");
        var libraries = new Libraries("", [Path.Combine(_folder, "gone"), _folder]);
        Assert.Equal(Path.Combine(_folder, "libdnnl.so.3.4"), libraries.Find("libdnnl.so"));
        Assert.Null(libraries.Find("libdnnl.so.4"));
    }

    [Fact]
    public void A_libstdcxx_that_is_too_old_is_enough_only_where_the_request_was_made_weak()
    {
        var libraries = new Libraries("", [_folder]);
        File.WriteAllText(Path.Combine(_folder, "libstdc++.so.6"), "x\0GLIBCXX_3.4.9\0GLIBCXX_3.4.30\0CXXABI_1.3\0");
        var finding = Examination.StandardLibrary(libraries, _folder);
        Assert.False(finding.Found);
        Assert.Contains("GLIBCXX_3.4.30", finding.Details);
        File.WriteAllText(Path.Combine(_folder, "libLibTorchSharp.txt"), "the request for GLIBCXX_3.4.32 was made weak: old\n");
        Assert.True(Examination.StandardLibrary(libraries, _folder).Found);
        File.Delete(Path.Combine(_folder, "libLibTorchSharp.txt"));
        File.WriteAllText(Path.Combine(_folder, "libstdc++.so.6"), "x\0GLIBCXX_3.4.33\0");
        Assert.True(Examination.StandardLibrary(libraries, _folder).Found);
    }

    [Fact]
    public void Flash_attention_alone_runs_where_libtorch_has_it()
    {
        Assert.Null(Devices.FlashFailure(TorchSharp.torch.CPU));
    }

    [Fact]
    public void A_program_without_libtorch_beside_it_is_told()
    {
        var finding = Examination.Tensors(_folder);
        Assert.False(finding.Found);
        Assert.Contains(_folder, finding.Details);
        Assert.StartsWith("2.10.0, TorchSharp 0.107.0, ", Examination.Tensors(AppContext.BaseDirectory).Details);
    }

    [Theory]
    [InlineData("lib/libtorch_cpu.so.2.14", null, null, "2.14")]
    [InlineData("lib/libtorch_cpu.so", "version.py", "from typing import Optional\n__version__ = '2.11.0+cu130'\n", "2.11.0")]
    [InlineData("lib/libtorch_cpu.so", "build-version", "2.12.1+cpu\n", "2.12.1")]
    [InlineData("runtimes/linux-x64/native/libtorch_cpu.so", null, null, null)]
    public void The_release_of_a_libtorch_is_what_it_was_shipped_with(string library, string? file, string? content, string? release)
    {
        string path = Path.Combine(_folder, library);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
        if (file is not null)
            File.WriteAllText(Path.Combine(_folder, file), content);
        Assert.Equal(release ?? Path.GetFileName(_folder), Libraries.LibtorchVersion(path));
    }

    [Theory]
    [InlineData("libnothing.so.3")]
    [InlineData("libm.so.6")]
    public void A_library_that_is_named_and_is_not_MPI_is_said(string named)
    {
        var finding = Examination.Mpi(mpirun: null, named);
        Assert.False(finding.Found);
        Assert.Matches($@"no MPI library found; .* UNISCALE_MPI_LIBRARY: {named}", finding.Details);
    }

    [Theory]
    [InlineData(null, @"^MPICH \S+, libmpich\.so\.12, through MPI\.NET 1\.4\.0; started by mpirun\.mpich \(MPICH's Hydra \S+\)$")]
    [InlineData("mpirun.openmpi", @"^Open MPI \S+, libmpi\.so\.40, through direct calls; started by mpirun\.openmpi \(Open MPI \S+\)$")]
    public void The_MPI_that_launch_uses_is_named_with_its_library_and_binding(string? mpirun, string details) =>
        Assert.Matches(details, Examination.Mpi(mpirun, library: null).Details);

    [Fact]
    public void A_missing_mpirun_is_said_with_what_to_install()
    {
        var finding = Examination.Mpi("no-such-mpirun", library: null);
        Assert.Equal((false, "apt-get install mpich"), (finding.Found, finding.Advice));
        Assert.Contains("no-such-mpirun cannot be started", finding.Details);
    }

    [Fact]
    public void Folders_of_the_linker_path_come_first_and_links_are_resolved()
    {
        File.WriteAllText(Path.Combine(_folder, "libdnnl.so.9.1.2"), "");
        File.CreateSymbolicLink(Path.Combine(_folder, "libdnnl.so"), "libdnnl.so.9.1.2");
        var libraries = new Libraries("\tlibdnnl.so (libc6,x86-64) => /elsewhere/libdnnl.so\n", [_folder]);
        string? path = libraries.Find("libdnnl.so");
        Assert.Equal(Path.Combine(_folder, "libdnnl.so.9.1.2"), path);
        Assert.Equal("9.1.2", Libraries.Version(path!));
    }

    [Fact]
    public void The_cache_names_libraries_with_and_without_version()
    {
        string file = Path.Combine(_folder, "libdnnl.so.2");
        File.WriteAllText(file, "");
        var libraries = new Libraries(
            $"2 libs found\n\tlibdnnl.so.2 (libc6,x86-64) => {file}\n\tlibc.so.6 (libc6) => /lib/libc.so.6\n",
            []
        );
        Assert.Equal(file, libraries.Find("libdnnl.so"));
        Assert.Null(libraries.Find("libdnn.so"));
    }

    [Fact]
    public void A_pkg_config_file_knows_the_version_better_than_the_file_name()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "pkgconfig"));
        File.WriteAllText(Path.Combine(_folder, "pkgconfig", "sentencepiece.pc"), "Name: sentencepiece\nVersion: 0.1.97\n");
        Assert.Equal("0.1.97", Libraries.Version(Path.Combine(_folder, "libsentencepiece.so.0.0.0")));
        Assert.Equal("0.3.21", Libraries.Version("/usr/lib/libopenblasp-r0.3.21.so"));
        Assert.Null(Libraries.Version("/usr/lib/libplain.so"));
    }

    private static (string? Advice, bool Found, bool Required) Of(IReadOnlyList<Finding> findings, string name)
    {
        var finding = findings.Single(finding => finding.Name == name);
        return (finding.Advice, finding.Found, finding.Required);
    }
}
