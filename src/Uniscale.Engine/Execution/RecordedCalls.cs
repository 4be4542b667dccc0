using System.Diagnostics;
using System.Reflection;

namespace Uniscale.Engine.Execution;

/// <summary>
/// An interface of kernels whose calls go to the timeline under their names. Made at run time, so that a new kernel needs nothing here.
/// </summary>
internal class RecordedCalls<T> : DispatchProxy
    where T : class
{
    private T? _target;
    private Timeline? _timeline;

    public static T Of(T target, Timeline timeline)
    {
        var proxy = Create<T, RecordedCalls<T>>();
        var calls = (RecordedCalls<T>)(object)proxy;
        (calls._target, calls._timeline) = (target, timeline);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        long start = Stopwatch.GetTimestamp();
        object? result = targetMethod!.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, args, null);
        if (!_timeline!.IsRecording)
            return result;
        _timeline.AwaitDevice?.Invoke();
        _timeline.Kernel(targetMethod.Name, start, Stopwatch.GetTimestamp());
        return result;
    }
}
