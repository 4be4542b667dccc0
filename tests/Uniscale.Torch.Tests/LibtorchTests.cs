namespace Uniscale.Torch.Tests;

public sealed class LibtorchTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-libtorch-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void AFolderWithoutLibtorchIsNamedWithWhatToDo()
    {
        string problem = Libtorch.LoadFrom(_folder.FullName)!;
        Assert.Contains($"no libtorch_cpu.so in {_folder.FullName}", problem);
        Assert.Contains("UNISCALE_LIBTORCH", problem);
    }

    [Fact]
    public void ALibraryThatIsNoneIsNamed()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "libtorch_cpu.so"), "");
        Assert.StartsWith($"{_folder.FullName}/libtorch_cpu.so cannot be loaded: ", Libtorch.LoadFrom(_folder.FullName));
    }

    [Fact]
    public void TheOneOfThisProcessLoadsInOrderFromItsFolder()
    {
        Assert.Null(Libtorch.LoadFrom(AppContext.BaseDirectory));
        Assert.Null(Libtorch.Load());
        Assert.False(Libtorch.HasCuda(AppContext.BaseDirectory));
    }
}
