using NetArchTest.Rules;

namespace Uniscale.Architecture.Tests;

/// <summary>Rules between the types of the house, by name: who may know what.</summary>
public sealed class RuleTests
{
    [Theory]
    [
        InlineData("Configuration"),
        InlineData("Programs"),
        InlineData("Planning"),
        InlineData("Data"),
        InlineData("Corpus"),
        InlineData("Checkpoints")
    ]
    [InlineData("Telemetry"), InlineData("Launching"), InlineData("Dashboard"), InlineData("Mpi"), InlineData("Collectives")]
    public void KnowsNoTensors(string project) => Without(project, "TorchSharp", "Uniscale.Torch", "Uniscale.Kernels", "Uniscale.Engine");

    [Theory]
    [
        InlineData("Configuration"),
        InlineData("Programs"),
        InlineData("Planning"),
        InlineData("Data"),
        InlineData("Corpus"),
        InlineData("Telemetry"),
        InlineData("Kernels")
    ]
    public void KnowsNoCommunication(string project) => Without(project, "MPI", "Uniscale.Mpi", "Uniscale.Collectives");

    [Theory]
    [InlineData("Launching"), InlineData("Evaluation"), InlineData("Engine"), InlineData("Checkpoints"), InlineData("Telemetry")]
    public void KnowsNothingOfTraining(string project) => Without(project, "Uniscale.Training", "Uniscale.Experiments");

    [Fact]
    public void TheBlocksKnowNoRanks() =>
        Holds(
            Types
                .InAssembly(Assemblies.Of("Engine"))
                .That()
                .ResideInNamespace("Uniscale.Engine.Model")
                .ShouldNot()
                .HaveDependencyOnAny("Uniscale.Collectives", "Uniscale.Engine.Mesh", "Uniscale.Engine.Execution")
        );

    [Fact]
    public void LaunchingAsksProgramsForTheGateAlone() =>
        Assert.Equal(["LayoutGate"], Calls.TypesUsed(Assemblies.Of("Launching"), "Uniscale.Programs"));

    [Fact]
    public void OnlyTheCommandsPrint()
    {
        // Training warns of another owner before its log is open.
        string[] printers = ["Cli", "Telemetry", "Launching", "Training"];
        Assert.All(
            Assemblies.Projects.Except(printers),
            project => Holds(Types.InAssembly(Assemblies.Of(project)).ShouldNot().HaveDependencyOnAny("System.Console"))
        );
    }

    [Fact]
    public void ThePackageForMpiIsNamedInOneType() =>
        Assert.Equal(
            ["PackageBinding"],
            Assemblies.Projects.SelectMany(project => Calls.UsersOf(Assemblies.Of(project), "MPI")).Distinct()
        );

    /// <summary>Functions of C are imported where a library is bound, and nowhere else.</summary>
    [Fact]
    public void ImportsOfNativeFunctionsStandInBindings()
    {
        string[] bindings =
        [
            "Checkpoints.Memory.Posix",
            "Data.SentencePieceLibrary",
            "Kernels.Cpu.CpuKernels",
            "Kernels.Cpu.PeakSpeed",
            "Launching.Ranks.QuickExit",
            "Mpi.MpiPause",
            "Mpi.Native.MpiLibrary",
            "Native.InstructionLimit",
            "Native.OpenMpRuntime",
            "Torch.NativeMethods",
            "Torch.ReleasableMemory",
            "Training.Faults.ProcessSignal",
        ];
        Assert.Equal(
            bindings.Order(StringComparer.Ordinal),
            Assemblies.Projects.SelectMany(project => Calls.Imports(Assemblies.Of(project))).Distinct().Order(StringComparer.Ordinal)
        );
    }

    /// <summary>A name means one public type in all projects.</summary>
    [Fact]
    public void NoTwoPublicTypesHaveOneName()
    {
        var twins = Assemblies
            .Projects.SelectMany(project => Mono.Cecil.AssemblyDefinition.ReadAssembly(Assemblies.Of(project).Location).MainModule.Types)
            .Where(type => type.IsPublic && type.Namespace.StartsWith("Uniscale", StringComparison.Ordinal))
            .GroupBy(type => type.Name)
            .Where(types => types.Count() > 1)
            .SelectMany(types => types.Select(type => type.FullName));
        Assert.Empty(twins);
    }

    private static void Without(string project, params string[] unknown) =>
        Holds(Types.InAssembly(Assemblies.Of(project)).ShouldNot().HaveDependencyOnAny(unknown));

    private static void Holds(ConditionList rule)
    {
        var result = rule.GetResult();
        Assert.True(result.IsSuccessful, string.Join(", ", result.FailingTypes?.Select(type => type.FullName) ?? []));
    }
}
