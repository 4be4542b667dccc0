namespace TorchSharp.Tests.Surface;

/// <summary>Holds src/TorchSharp to the rule that makes it replaceable by the package: no public member of its own.</summary>
public class PublicSurfaceTests
{
    private static readonly ReferenceSurface Reference = new();

    [Fact]
    public void EveryPublicMemberIsTorchSharps()
    {
        var ours = typeof(torch).Assembly.GetExportedTypes();
        var foreign = ours.Where(type => !Reference.Has(SurfaceFormat.Name(type))).Select(SurfaceFormat.Name).ToList();
        var failures = foreign.Select(type => $"type {type}").ToList();
        Assert.InRange(ours.Sum(type => SurfaceFormat.Members(type).Count()), 800, 3000);
        foreach (var type in ours)
        {
            var name = SurfaceFormat.Name(type);
            failures.AddRange(SurfaceFormat.Members(type)
                .Where(member => !foreign.Contains(name) && !Reference.Has(name, member))
                .Select(member => $"{name}: {member}   [the package has: {string.Join(" | ", Reference.Alike(name, member))}]"));
        }
        Assert.True(failures.Count == 0, $"{failures.Count} not in TorchSharp 0.107:\n" + string.Join('\n', failures));
    }

    [Theory]
    [InlineData("TorchSharp.torch", "static Tensor abs(Tensor input)", true)]
    [InlineData("TorchSharp.torch", "static Tensor abs(Tensor x)", false)]
    [InlineData("TorchSharp.torch", "static Tensor absent(Tensor input)", false)]
    public void AMemberOutsideTheListIsFound(string type, string member, bool known) =>
        Assert.Equal(known, Reference.Has(type, member));

    [Fact]
    public void MembersAreWrittenAsInTheList()
    {
        var members = SurfaceFormat.Members(typeof(torch.Tensor)).ToHashSet();
        Assert.Contains("Tensor TensorItems[params TensorIndex[] indices] { get; set; }", members);
        Assert.Contains("T item<T>()", members);
        Assert.Contains("protected void Finalize()", members);
        Assert.Contains("(Tensor, Tensor) max(long dim, bool keepdim = False)", members);
        Assert.Contains("Tensor to(ScalarType type, Device device, bool copy = False, bool disposeAfter = False, bool non_blocking = False)", members);
    }
}
